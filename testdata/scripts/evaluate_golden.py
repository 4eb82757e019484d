"""Golden values for package evaluate, from SciPy, scikit-learn, statsmodels and NumPy.

usage: evaluate_golden.py [--out testdata/golden/evaluate.json]
    PY -m pip install numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 statsmodels==0.15.0
"""
import argparse
import json

import numpy as np
from scipy import stats
from scipy.spatial.distance import jensenshannon
from sklearn.feature_selection._mutual_info import _compute_mi_cd
from sklearn.metrics.pairwise import cosine_similarity
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

a = argparse.ArgumentParser()
a.add_argument("--out", default="testdata/golden/evaluate.json")
a = a.parse_args()
rng = np.random.default_rng(6)
out = {}

# Activations: ties (rounded values), a large common offset, an ordinary case.
acts = []
for name, n, d, offset, step in [("plain", 12, 37, 0, 0), ("offset", 9, 50, 300, 0), ("ties", 10, 40, 0, .5)]:
    common = rng.normal(size=d)
    ref = rng.normal(size=(n, d)) + common + offset
    met = .6 * ref + .4 * (rng.normal(size=(n, d)) + offset) + .2
    if step:
        ref, met = np.round(ref / step) * step, np.round(met / step) * step
    ref, met = ref.astype(np.float32), met.astype(np.float32)
    x, y = ref.astype(np.float64), met.astype(np.float64)
    case = dict(name=name, ref=ref.tolist(), met=met.tolist(), matrices={}, jsd=[], rsa={})
    pairs = np.triu_indices(n, 1)
    for kind, f in dict(pearson=np.corrcoef, cosine=cosine_similarity, spearman=lambda v: stats.spearmanr(v, axis=1).statistic).items():
        r, m = f(x), f(y)
        case["matrices"][kind] = dict(ref=r.tolist(), met=m.tolist())
        p, q = r[pairs], m[pairs]
        case["rsa"][kind] = dict(pearson=stats.pearsonr(p, q).statistic, spearman=stats.spearmanr(p, q).statistic)
        for bins in (10, 50):
            edges = np.linspace(min(p.min(), q.min()), max(p.max(), q.max()), bins + 1)
            hp, hq = np.histogram(p, edges)[0], np.histogram(q, edges)[0]
            mm = lambda c: stats.entropy(c) + ((c > 0).sum() - 1) / (2 * c.sum())
            case["jsd"].append(dict(kind=kind, bins=bins, p=hp.tolist(), q=hq.tolist(), value=jensenshannon(hp, hq, base=2) ** 2,
                                    miller_madow=(mm(hp + hq) - (mm(hp) + mm(hq)) / 2) / np.log(2)))
    # CKA in the space of features, not of images, so that it shares nothing with Gram matrices.
    xc, yc = x - x.mean(0), y - y.mean(0)
    case["cka"] = np.linalg.norm(yc.T @ xc) ** 2 / np.linalg.norm(xc.T @ xc) / np.linalg.norm(yc.T @ yc)

    def hsic1(k, l):  # Song et al. 2012, equation 5
        k, l, one = k - np.diag(np.diag(k)), l - np.diag(np.diag(l)), np.ones(n)
        return (np.trace(k @ l) + (one @ k @ one) * (one @ l @ one) / (n - 1) / (n - 2) - 2 / (n - 2) * (one @ k @ l @ one)) / n / (n - 3)

    k, l = xc @ xc.T, yc @ yc.T  # the estimator does not change when a common vector is taken off
    case["cka_debiased"] = hsic1(k, l) / np.sqrt(hsic1(k, k) * hsic1(l, l))
    acts.append(case)
out["activations"] = acts

# Nearest-neighbour JSD: mutual information of value and label, in bits.
near = []
for name, p, q in [("normal", rng.normal(0, 1, 60), rng.normal(1, .7, 60)), ("equal", rng.normal(0, 1, 80), rng.normal(0, 1, 80)),
                   ("apart", rng.normal(0, 1, 30), rng.normal(50, 1, 30)), ("ties", rng.integers(0, 6, 40) / 4, rng.integers(2, 9, 40) / 4)]:
    for k in (3, 5):
        v, label = np.concatenate([p, q])[:, None], np.repeat([0, 1], [len(p), len(q)])
        # _compute_mi_cd ends in max(0, mi): values above 0 are compared only.
        near.append(dict(name=name, p=p.tolist(), q=q.tolist(), k=k, bits=_compute_mi_cd(v.ravel(), label, k) / np.log(2)))
out["nearest"] = near

# Bootstrap: SciPy's own resamples are written down, so that the arithmetic is compared.
boot = []
for name, data in [("skewed", rng.gamma(1.5, 1, 15)), ("share", (rng.random(20) < .7).astype(float))]:
    R = 200
    for method in ("percentile", "basic", "BCa"):
        ci = stats.bootstrap((data,), np.mean, n_resamples=R, method=method, rng=np.random.default_rng(3), confidence_level=.9)
        idx = np.random.default_rng(3).integers(0, len(data), (R, len(data)))
        assert np.allclose(np.mean(data[idx], 1), ci.bootstrap_distribution)
        boot.append(dict(name=name, method=method.lower(), data=data.tolist(), indices=idx.tolist(), low=ci.confidence_interval.low, high=ci.confidence_interval.high))
out["bootstrap"] = boot

tests = []
for n, b, c in [(20, 8, 1), (10, 0, 0), (50, 12, 12), (30, 0, 9)]:
    tests.append(dict(n=n, only_a=b, only_b=c, p=float(mcnemar([[n - b - c, b], [c, 0]], exact=True).pvalue)))
out["mcnemar"] = tests

wil = []
for name, d in [("exact", rng.normal(.4, 1, 12)), ("exact50", rng.normal(.2, 1, 50)), ("normal", rng.normal(.1, 1, 80)), ("ties", rng.integers(-3, 5, 25).astype(float))]:
    d = d.round(6)
    nz = d[d != 0]
    tied = len(np.unique(np.abs(nz))) < len(nz)
    r = stats.wilcoxon(nz, method="asymptotic" if tied or len(nz) > 50 else "exact", correction=False)
    wil.append(dict(name=name, d=d.tolist(), w=float(r.statistic), p=float(r.pvalue)))
out["wilcoxon"] = wil

p = [.01, .04, .03, .005, .6, .03]
out["holm"] = dict(p=p, adjusted=multipletests(p, method="holm")[1].tolist())
out["wilson"] = [dict(k=k, n=n, low=float(lo), high=float(hi)) for k, n in [(0, 16), (16, 16), (5, 40)] for lo, hi in [proportion_confint(k, n, method="wilson")]]

# 16 categories: the mean probability of a few written-down classes decides.
logits = rng.normal(0, 3, (8, 1000)).round(2).astype(np.float32)
prob = np.exp(logits.astype(np.float64))
prob /= prob.sum(1, keepdims=True)
small = dict(airplane=[404], bear=[294, 295, 296, 297], bicycle=[444, 671], boat=[472, 554, 625, 814, 914], cat=[281, 282, 283, 284, 285, 286],
             clock=[409, 530, 892], elephant=[385, 386], knife=[499], truck=[555, 569, 656, 675, 717, 734, 864, 867])
out["categories"] = dict(small={k: prob[:2, v].mean(1).tolist() for k, v in small.items()},
                         logits=[[round(float(x), 2) for x in v] for v in logits[:2]])
json.dump(out, open(a.out, "w"))
