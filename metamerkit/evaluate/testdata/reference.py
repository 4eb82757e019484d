"""Writes scipy.json: measures of pairs of float32 vectors by SciPy and NumPy.

    python reference.py > scipy.json
"""
import json

import numpy as np
import scipy
from scipy import stats

rng = np.random.default_rng(7)
f = lambda v: np.asarray(v, np.float32)
base = f(rng.normal(size=64))
relu = f(np.maximum(rng.normal(size=256), 0))  # half of it tied at zero
pairs = {
    "ties": (f([1, 2, 2, 4, -3, 0.5]), f([2, 1, 3, 3, -1, 0])),
    "normal": (base, f(base + 0.3 * rng.normal(size=64))),
    "relu": (relu, f(np.maximum(relu + 0.5 * rng.normal(size=256), 0))),
    "integers": (f(rng.integers(0, 4, 50)), f(rng.integers(0, 4, 50))),
    "large offset": (f(1e4 + base), f(1e4 + base[::-1])),
    "opposite": (base, f(-base)),
    "two": (f([1, 3]), f([2, 5])),
}
out = []
for name, (a, b) in pairs.items():
    x, y = a.astype(np.float64), b.astype(np.float64)
    out.append({
        "name": name, "a": a.tolist(), "b": b.tolist(),
        "pearson": stats.pearsonr(x, y)[0], "spearman": stats.spearmanr(x, y)[0],
        "snr": 10 * np.log10((x**2).sum() / ((x - y) ** 2).sum()),
        "relative": np.linalg.norm(y - x) / np.linalg.norm(x),
        "ranks": stats.rankdata(x).tolist(),
    })
print(json.dumps({"scipy": scipy.__version__, "numpy": np.__version__, "pairs": out}))
