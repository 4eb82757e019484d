"""Writes null.json: a null distribution of 46 activations, and the match statistics and
empirical p of metamers from poor to close, by SciPy and NumPy.

    python null.py > null.json
"""
import itertools
import json

import numpy as np
from scipy import stats

rng = np.random.default_rng(11)
f = lambda v: np.asarray(v, np.float32)
common = rng.normal(size=12)
images = [f(np.round(np.maximum(common + rng.normal(size=12), 0), 2)) for _ in range(46)]


def snr(ref, v):
    return 10 * np.log10((ref**2).sum() / ((ref - v) ** 2).sum())


def measures(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    return [stats.pearsonr(a, b)[0], stats.spearmanr(a, b)[0]], snr(a, b), snr(b, a)


null = np.array([[*r, max(one, other)] for r, one, other in (measures(a, b) for a, b in itertools.combinations(images, 2))])
metamers = []
for k, noise in enumerate([1, 0.5, 0.25, 0.1, 0.02]):
    ref = images[k]
    met = f(np.round(np.maximum(ref + noise * rng.normal(size=12), 0), 3))
    r, value, _ = measures(ref, met)
    values = np.array([*r, value])
    reach = (null >= values - 1e-12).sum(0)  # equal values differ in their last bits
    metamers.append({"ref": ref.tolist(), "met": met.tolist(), "values": values.tolist(),
                     "p": ((reach + 1) / (len(null) + 1)).tolist(), "pass": bool((reach == 0).all())})
print(json.dumps({"numpy": np.__version__, "images": [i.tolist() for i in images], "pairs": len(null),
                  "largest": null.max(0).tolist(), "metamers": metamers}))
