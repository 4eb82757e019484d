"""Golden values of the statistics of experiments with people: testdata/golden/people.json.

    pip install numpy scipy statsmodels
    python testdata/scripts/people_golden.py

Answers are drawn from a logistic model with effects of participants and images, in a
Latin-square design. NumPy computes the share of right answers a condition and its two-way
bootstrap interval with 20000 resamples, the noise ceiling, and d' of two conditions. statsmodels gives the
standard error that is robust to clusters of both, for the order of magnitude.
"""
import json
import pathlib

import numpy as np
import scipy.stats
import statsmodels.api as sm

rng = np.random.default_rng(7)
people, images, conditions = 24, 20, 4
logit = np.array([1.5, 0.4, -0.3, -1.2])
person, image = rng.normal(0, 0.6, people), rng.normal(0, 0.9, images)
answers = []
for p in range(people):
    for i in range(images):
        c = (p + i) % conditions
        chance = 1 / (1 + np.exp(-(logit[c] + person[p] + image[i])))
        answers.append((p, c, i, int(rng.random() < chance)))
a = np.array(answers)

out = {"answers": a.tolist(), "conditions": []}
for c in range(conditions):
    sub = a[a[:, 1] == c]
    boots = []
    for _ in range(20000):
        wp = np.bincount(rng.integers(people, size=people), minlength=people)
        wi = np.bincount(rng.integers(images, size=images), minlength=images)
        w = wp[sub[:, 0]] * wi[sub[:, 2]]
        boots.append((w * sub[:, 3]).sum() / w.sum())
    fit = sm.OLS(sub[:, 3].astype(float), np.ones(len(sub))).fit(cov_type="cluster", cov_kwds={"groups": sub[:, [0, 2]]})
    low, high = np.percentile(boots, [2.5, 97.5])
    out["conditions"].append({"value": sub[:, 3].mean(), "low": low, "high": high, "robust": float(fit.bse[0])})

ceiling = []
for _ in range(20000):
    half = rng.permutation(people) % 2
    means = [[a[(a[:, 1] == c) & (half[a[:, 0]] == h), 3].mean() for c in range(conditions)] for h in (0, 1)]
    r = scipy.stats.spearmanr(*means).statistic
    ceiling.append(2 * r / (1 + r))
out["ceiling"] = float(np.nanmean(ceiling))

# d' of telling condition 0 (hits) from condition 3 (false alarms), with half an answer added
# to each count and one to each total (Hautus 1995).
again = np.random.default_rng(11)


def dprime(w):
    z = []
    for c in (0, 3):
        at = a[:, 1] == c
        z.append(scipy.stats.norm.ppf(((w * a[:, 3])[at].sum() + 0.5) / (w[at].sum() + 1)))
    return z[0] - z[1]


boots = []
for _ in range(20000):
    wp = np.bincount(again.integers(people, size=people), minlength=people)
    wi = np.bincount(again.integers(images, size=images), minlength=images)
    boots.append(dprime(wp[a[:, 0]] * wi[a[:, 2]]))
low, high = np.percentile(boots, [2.5, 97.5])
out["sensitivity"] = {"value": dprime(np.ones(len(a))), "low": low, "high": high}

path = pathlib.Path(__file__).parent.parent / "golden" / "people.json"
path.write_text(json.dumps(out, default=float) + "\n")
print(out["conditions"], out["ceiling"])
