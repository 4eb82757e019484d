"""Golden values of the image metrics, by other people's code.

    PY -m pip install torch==2.11.0 numpy==2.4.6 scipy==1.17.1 scikit-image==0.26.0 pillow==13.0.0 \
        opencv-python-headless==5.0.0.93 pyiqa==0.1.16 pytorch-msssim==1.0.0
    PY testdata/scripts/metrics_golden.py --niqe ../shared/data/metrics/niqe_image_params.mat

writes testdata/golden/metrics: photographs of scikit-image that are in the public domain or CC0
(astronaut: NASA; coffee: R. Michelotti, CC0; chelsea: S. van der Walt, CC0; rocket: SpaceX, CC0),
cut to size, JPEG-degraded ones as PNG, and values.json. Noisy, blurred and synthetic images are
made here and in the Go test by the same arithmetic of whole numbers.
"""

import argparse
import io
import json
import math
import os

import cv2
import numpy as np
import scipy.io
import scipy.ndimage
import scipy.stats
import skimage.data
import skimage.measure
import skimage.metrics
import torch
from PIL import Image
from pyiqa.archs.brisque_arch import brisque, natural_scene_statistics
from pyiqa.archs.niqe_arch import niqe
from pyiqa.archs.piqe_arch import piqe
from pyiqa.matlab_utils import imresize
from pytorch_msssim import ms_ssim

from metrics_exact import exactly

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "golden", "metrics")
MODELS = os.path.join(HERE, "..", "..", "metamerkit", "imgmetrics", "models")

# The ranges of BRISQUE's features in the original release (allrange), as pyiqa has them.
RANGES = [
    (0.338, 10), (0.017204, 0.806612), (0.236, 1.642), (-0.123884, 0.20293), (0.000155, 0.712298), (0.001122, 0.470257),
    (0.244, 1.641), (-0.123586, 0.179083), (0.000152, 0.710456), (0.000975, 0.470984), (0.249, 1.555), (-0.135687, 0.100858),
    (0.000174, 0.684173), (0.000913, 0.534174), (0.258, 1.561), (-0.143408, 0.100486), (0.000179, 0.685696), (0.000888, 0.536508),
    (0.471, 3.264), (0.012809, 0.703171), (0.218, 1.046), (-0.094876, 0.187459), (1.5e-005, 0.442057), (0.001272, 0.40803),
    (0.222, 1.042), (-0.115772, 0.162604), (1.6e-005, 0.444362), (0.001374, 0.40243), (0.227, 0.996), (-0.117188, 0.09832299999999999),
    (3e-005, 0.531903), (0.001122, 0.369589), (0.228, 0.99), (-0.12243, 0.098658), (2.8e-005, 0.530092), (0.001118, 0.370399),
]


def splitmix(i):
    with np.errstate(over="ignore"):
        z = (i + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def noisy(x, level):
    """Adds about Gaussian noise of that deviation: the sum of the four 16-bit parts of a hash."""
    z = splitmix(np.arange(x.size, dtype=np.uint64)).reshape(x.shape)
    s = sum(((z >> np.uint64(16 * k)) & np.uint64(0xFFFF)).astype(np.int64) for k in range(4)) - 131070
    return np.clip(x + (2 * s * level + 37837) // (2 * 37837), 0, 255)


def blurred(x, times):
    """Binomial 5x5, borders replicated, rounded to whole levels each time."""
    for _ in range(times):
        for axis in (0, 1):
            p = np.pad(x, [(2, 2) if a == axis else (0, 0) for a in range(3)], "edge")
            n = x.shape[axis]
            x = sum(w * np.take(p, range(k, k + n), axis) for k, w in enumerate((1, 4, 6, 4, 1)))
            x = (x + 8) >> 4
    return x


def jpeg(x, quality):
    buf = io.BytesIO()
    Image.fromarray(x.astype(np.uint8)).save(buf, "JPEG", quality=quality)
    return np.asarray(Image.open(io.BytesIO(buf.getvalue()))).astype(np.int64)


def synthetic(kind):
    y, x, c = np.mgrid[0:224, 0:224, 0:3]
    if kind == "ramp":
        return (x + c * 10) * 255 // 243
    if kind == "checker":
        return np.where((x // 8 + y // 8) % 2 == 0, 40, 210)
    return (splitmix(np.arange(x.size, dtype=np.uint64)) >> np.uint64(56)).astype(np.int64).reshape(x.shape)


def images():
    """name → (pixels [H,W,3] of whole levels, name of the reference)."""
    base = {
        "astronaut": skimage.data.astronaut()[10:234, 110:334],
        "chelsea": skimage.data.chelsea()[40:264, 100:324],
        "rocket": skimage.data.rocket()[120:344, 200:424],
        "coffee": skimage.data.coffee()[60:260, 140:370],
        "small": np.asarray(Image.fromarray(skimage.data.astronaut()[10:234, 110:334]).resize((32, 32), Image.BICUBIC)),
    }
    out = {}
    for name, x in base.items():
        x = x[..., :3].astype(np.int64)
        save(name, x)
        out[name] = (x, name)
        for level in (8, 25, 45):
            out[f"{name}-noise{level}"] = (noisy(x, level), name)
        for times in (1, 2, 5):
            out[f"{name}-blur{times}"] = (blurred(x, times), name)
        if name in ("astronaut", "coffee"):
            for quality in (30, 10):
                j = jpeg(x, quality)
                save(f"{name}-jpeg{quality}", j)
                out[f"{name}-jpeg{quality}"] = (j, name)
    for kind in ("ramp", "checker", "hash"):
        out[kind] = (synthetic(kind), "astronaut")
    return out


def save(name, x):
    Image.fromarray(x.astype(np.uint8)).save(os.path.join(OUT, name + ".png"), optimize=True)


def luma(x):
    return (0.299 * x[..., 0] + 0.587 * x[..., 1] + 0.114 * x[..., 2]) * 255


def slope(y):
    h, w = y.shape
    win = lambda n: 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(n) + 0.5) / n)
    power = np.abs(np.fft.fft2((y - y.mean()) * win(h)[:, None] * win(w)[None])) ** 2
    r = np.rint(min(h, w) * np.hypot(np.fft.fftfreq(h)[:, None], np.fft.fftfreq(w)[None])).astype(int)
    ks = np.arange(2, min(h, w) // 2 + 1)
    p = [power[r == k].mean() for k in ks]
    return -scipy.stats.linregress(np.log(ks), np.log(p)).slope if min(p) > 1e-12 else None


def double(y):
    return torch.from_numpy(np.asarray(y, np.float64))[None, None]


def nss(y):
    out = []
    for _ in range(2):
        out.append(natural_scene_statistics(y))
        y = imresize(y, scale=0.5, antialiasing=True)
    return torch.cat(out, -1)[0].numpy()


def read_svm(name):
    lo_hi = np.array([[float(v) for v in l.split()[1:]] for l in open(f"{name}.range").read().splitlines()[2:]])
    head, body = open(f"{name}.svm").read().split("SV\n", 1)
    p = dict(l.split(" ", 1) for l in head.splitlines() if " " in l)
    rows = [l.split() for l in body.splitlines()]
    sv = np.array([[float(q.split(":")[1]) for q in r[1:]] for r in rows])
    return sv, np.array([float(r[0]) for r in rows]), float(p["gamma"]), float(p["rho"]), lo_hi


def made_up():
    """A regression for pyiqa to carry out; its support vectors mean nothing."""
    sv = (splitmix(np.arange(5 * 36, dtype=np.uint64)) >> np.uint64(54)).astype(np.float64).reshape(5, 36) / 512 - 1
    return sv, np.array([10.0, -20, 30, 15, -5])


def no_nan(v):
    return None if v is None or math.isnan(v) or math.isinf(v) else float(v)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--niqe", required=True)
    a.add_argument("--plain", action="store_true", help="pyiqa as it is; writes values-plain.json only")
    a = a.parse_args()
    torch.set_num_threads(1)
    os.makedirs(OUT, exist_ok=True)
    if not a.plain:
        exactly()
    mat = scipy.io.loadmat(a.niqe)
    carried = json.load(open(os.path.join(MODELS, "niqe_photos.json")))
    models = {"niqe": (mat["pop_mu"], mat["pop_cov"]), "niqe-photos": (np.array([carried["Mean"]]), np.array(carried["Cov"]))}
    sv, coef = made_up()
    photo_sv, photo_coef, gamma, rho, lo_hi = read_svm(os.path.join(MODELS, "brisque_photos"))

    all_images = images()
    values = []
    for name, (q, ref) in all_images.items():
        x = (q.astype(np.float32) / np.float32(255)).astype(np.float64)
        y = luma(x)
        grey = (299 * q[..., 0] + 587 * q[..., 1] + 114 * q[..., 2] + 500) // 1000
        h, w = grey.shape
        v = {
            "tv": np.abs(np.diff(x, axis=0)).mean() + np.abs(np.diff(x, axis=1)).mean(),
            "noise": math.sqrt(math.pi / 2) / 6
            * np.abs(scipy.ndimage.convolve(y, np.outer([1.0, -2, 1], [1, -2, 1]))[1:-1, 1:-1]).mean(),
            "sharpness": cv2.Laplacian(y, cv2.CV_64F, ksize=1).var(),
            "spectral-slope": slope(y),
            "entropy": skimage.measure.shannon_entropy(grey.astype(np.uint8)),
            "saturated": ((q == 0) | (q == 255)).any(-1).mean(),
            "brightness": y.mean() / 255,
            "contrast": y.std() / 255,
        }
        rg, yb = (x[..., 0] - x[..., 1]) * 255, ((x[..., 0] + x[..., 1]) / 2 - x[..., 2]) * 255
        v["colourfulness"] = math.hypot(rg.std(), yb.std()) + 0.3 * math.hypot(rg.mean(), yb.mean())
        features = nss(double(grey))
        v["brisque"] = brisque(double(grey / 255.0), sv_coef=torch.from_numpy(coef), sv=torch.from_numpy(sv)).item()
        scaled = 2 * (features - lo_hi[:, 0]) / (lo_hi[:, 1] - lo_hi[:, 0]) - 1
        v["brisque-photos"] = photo_coef @ np.exp(-gamma * ((photo_sv - scaled) ** 2).sum(1)) - rho
        if (h // 96) * (w // 96) > 1:
            for m, (mu, cov) in models.items():
                try:
                    v[m] = niqe(double(grey), torch.from_numpy(mu), torch.from_numpy(cov)[None]).item()
                except torch.linalg.LinAlgError:  # blocks without structure
                    v[m] = None
        full = np.floor(255 * grey / grey.max() + 0.5)  # pyiqa rounds halves to even, and pads too little
        full = np.pad(full, [(0, -h % 16), (0, -w % 16)], "symmetric")
        v["piqe"] = piqe(double(full))[0].item()
        if name != ref:
            r = (all_images[ref][0].astype(np.float32) / np.float32(255)).astype(np.float64)
            v["psnr"] = skimage.metrics.peak_signal_noise_ratio(r, x, data_range=1)
            v["ssim"] = skimage.metrics.structural_similarity(luma(r), y, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255)
            if h % 16 == 0 and w % 16 == 0 and min(h, w) > 160:
                v["ms-ssim"] = ms_ssim(double(y), double(luma(r)), data_range=255).item()
        values.append({"Name": name, "Reference": ref, "H": h, "W": w, "Mean": float(q.mean()),
                       "Values": {k: no_nan(u) for k, u in v.items()}, "Features": [no_nan(f) for f in features]})
        print(name, {k: round(u, 4) if u is not None else None for k, u in values[-1]["Values"].items()})
    with open(os.path.join(OUT, "values-plain.json" if a.plain else "values.json"), "w") as f:
        json.dump(values, f, indent=0)
        f.write("\n")
    if a.plain:
        return
    with open(os.path.join(OUT, "allrange"), "w") as f:
        f.write("x\n-1 1\n" + "".join(f"{i + 1} {lo!r} {hi!r}\n" for i, (lo, hi) in enumerate(RANGES)))
    with open(os.path.join(OUT, "allmodel"), "w") as f:
        f.write(f"svm_type epsilon_svr\nkernel_type rbf\ngamma 0.05\nnr_class 2\ntotal_sv {len(coef)}\nrho -153.591\nSV\n")
        for c, row in zip(coef, sv):
            f.write(f"{float(c)!r} " + " ".join(f"{i + 1}:{float(u)!r}" for i, u in enumerate(row) if u) + " \n")


main()
