"""Fits the models of niqe-photos and brisque-photos on photographs of two Debian packages.

    apt-get download lomiri-wallpapers-16.04=20.04.0-2 lomiri-wallpapers-20.04=20.04.0-2 mate-backgrounds=1.26.0-1
    for p in *.deb; do dpkg-deb -x "$p" photos; done
    PY -m pip install torch==2.11.0 numpy==2.4.6 scipy==1.17.1 pillow==13.0.0 scikit-learn==1.9.1 pyiqa==0.1.16
    PY testdata/scripts/metrics_fit.py --photos photos --out metamerkit/imgmetrics/models

The photographs (authors and licences: docs/metrics.md) are not redistributed, only these
statistics of them. Features are pyiqa's, in double precision (metrics_exact.py).

niqe-photos: the mean and covariance of NIQE's 36 features of the sharp blocks of 96x96 pixels
(mean local deviation above 0.75 of the image's largest, as in the paper) of each photograph at a
shorter side of 800, 560 and 400 pixels.

brisque-photos: a support vector regression from BRISQUE's 36 features to the strength, 0 to 100,
of a distortion that this script applied to crops of 224x224: Gaussian noise with a deviation of
50 s^2 levels, Gaussian blur of 4 s pixels, JPEG of the quality 95 - 90 s, for s = 0.2 to 1, and
none (0). It is no opinion of any viewer.
"""

import argparse
import glob
import io
import json
import os

import numpy as np
import torch
from PIL import Image, ImageFilter
from pyiqa.archs import niqe_arch
from pyiqa.archs.brisque_arch import natural_scene_statistics
from pyiqa.archs.niqe_arch import compute_feature
from pyiqa.matlab_utils import blockproc, fspecial, imfilter, imresize
from scipy.stats import spearmanr
from sklearn.svm import SVR

from metrics_exact import exactly

NAMES = """Bridge_by_Sander_Klootwijk Dragonfly_by_Bolly Picture_0B_by_freespace Picture_1A_by_freespace
Wine_by_Jakkub_Mede aitzgorri_by_Aitzol_Berasategi free_by_Peter_Nerlich friends_by_Aitzol_Berasategi
greentock_by_Peter_Nerlich life_by_Aitzol_Berasategi picosdeeuropa_by_Aitzol_Berasategi
seeding_by_Clements_Engelhardt sunset_by_Aitzol_Berasategi Kleiber_by_Lukas_Baubkus
Aqua Blinds Dune FreshFlower Garden GreenMeadow LadyBird RainDrops Storm TwoWings Wood YellowFlower""".split()


def grey(rgb):
    q = rgb.astype(np.int64)
    return (299 * q[..., 0] + 587 * q[..., 1] + 114 * q[..., 2] + 500) // 1000


def shrink(im, side):
    w, h = im.size
    k = min(1, side / min(w, h))
    return im.resize((round(w * k), round(h * k)), Image.LANCZOS, reducing_gap=2)


def tensor(y):
    return torch.from_numpy(np.asarray(y, np.float64))[None, None]


def niqe_blocks(y):
    """36 features of each block, and each block's mean local deviation."""
    y = y[..., : y.shape[-2] // 96 * 96, : y.shape[-1] // 96 * 96]
    k = fspecial(7, 7 / 6, 1).to(y)
    mu = imfilter(y, k, padding="replicate")
    dev = (imfilter(y**2, k, padding="replicate") - mu**2).abs().sqrt()
    sharp = blockproc(dev, [96, 96], fun=lambda b, _: b.mean(dim=(1, 2, 3))[:, None])[0, :, 0]
    feats = []
    for scale in (1, 2):
        feats.append(blockproc(niqe_arch.normalize_img_with_gauss(y, padding="replicate"), [96 // scale] * 2, fun=compute_feature))
        if scale == 1:
            y = imresize(y, scale=0.5, antialiasing=True)
    return torch.cat(feats, -1)[0].numpy(), sharp.numpy()


def brisque(y):
    out = []
    for _ in range(2):
        out.append(natural_scene_statistics(y))
        y = imresize(y, scale=0.5, antialiasing=True)
    return torch.cat(out, -1)[0].numpy()


def distort(im, kind, s, rng):
    if kind == "noise":
        x = np.asarray(im, np.float64)
        return np.clip(np.round(x + rng.normal(0, 50 * s * s, x.shape)), 0, 255).astype(np.uint8)
    if kind == "blur":
        return np.asarray(im.filter(ImageFilter.GaussianBlur(4 * s)))
    buf = io.BytesIO()
    im.save(buf, "JPEG", quality=round(95 - 90 * s))
    return np.asarray(Image.open(io.BytesIO(buf.getvalue())))


def fit_niqe(photos):
    rows = []
    for im in photos:
        for side in (800, 560, 400):
            f, sharp = niqe_blocks(tensor(grey(np.asarray(shrink(im, side)))))
            keep = (sharp > 0.75 * sharp.max()) & ~np.isnan(f).any(1)
            rows.append(f[keep])
    rows = np.concatenate(rows)
    return rows.mean(0), np.cov(rows, rowvar=False), len(rows)


def fit_brisque(photos):
    rng = np.random.default_rng(6)
    feats, target, group = [], [], []
    for i, im in enumerate(photos):
        small = shrink(im, 400)
        for _ in range(2):
            x, y = rng.integers(0, small.size[0] - 223), rng.integers(0, small.size[1] - 223)
            crop = small.crop((x, y, x + 224, y + 224))
            cases = [("none", 0.0)] + [(k, s) for k in ("noise", "blur", "jpeg") for s in (0.2, 0.4, 0.6, 0.8, 1.0)]
            for kind, s in cases:
                f = brisque(tensor(grey(np.asarray(crop) if kind == "none" else distort(crop, kind, s, rng))))
                if not np.isnan(f).any():
                    feats.append(f), target.append(100 * s), group.append(i)
    feats, target, group = np.array(feats), np.array(target), np.array(group)
    lo, hi = feats.min(0), feats.max(0)
    scaled = 2 * (feats - lo) / (hi - lo) - 1
    make = lambda: SVR(kernel="rbf", gamma=0.05, C=100, epsilon=8)
    guess = np.empty(len(target))
    for g in range(len(photos)):  # each photograph judged by a model that has not seen it
        m = make().fit(scaled[group != g], target[group != g])
        guess[group == g] = m.predict(scaled[group == g])
    print(f"brisque-photos: {len(target)} crops; left-out photographs: Spearman {spearmanr(guess, target)[0]:.3f}, "
          f"mean absolute error {np.abs(guess - target).mean():.1f}")
    return make().fit(scaled, target), lo, hi


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--photos", required=True)
    p.add_argument("--out", required=True)
    a = p.parse_args()
    torch.set_num_threads(1)
    exactly()
    files = {os.path.splitext(os.path.basename(f))[0]: f for f in glob.glob(a.photos + "/**/*.jpg", recursive=True)}
    photos = [Image.open(files[n]).convert("RGB") for n in NAMES]

    mu, cov, n = fit_niqe(photos)
    name = f"fitted on {n} blocks of {len(photos)} photographs (docs/metrics.md)"
    print("niqe-photos:", name)
    r = lambda v: float(f"{v:.10g}")
    with open(a.out + "/niqe_photos.json", "w") as f:
        json.dump({"Name": name, "Mean": [r(v) for v in mu], "Cov": [[r(v) for v in row] for row in cov]}, f, separators=(",", ":"))
        f.write("\n")

    m, lo, hi = fit_brisque(photos)
    with open(a.out + "/brisque_photos.range", "w") as f:
        f.write("x\n-1 1\n" + "".join(f"{i + 1} {l:.9g} {h:.9g}\n" for i, (l, h) in enumerate(zip(lo, hi))))
    with open(a.out + "/brisque_photos.svm", "w") as f:
        f.write(f"svm_type epsilon_svr\nkernel_type rbf\ngamma 0.05\nnr_class 2\ntotal_sv {len(m.support_)}\nrho {-m.intercept_[0]:.9g}\nSV\n")
        for c, v in zip(m.dual_coef_[0], m.support_vectors_):
            f.write(f"{c:.6g} " + " ".join(f"{i + 1}:{x:.4g}" for i, x in enumerate(v)) + "\n")
    print(len(m.support_), "support vectors")


main()
