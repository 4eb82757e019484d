"""pyiqa without the rounding of its Gaussian window; for metrics_fit.py and metrics_golden.py."""

import numpy as np
import pyiqa.archs.brisque_arch
import pyiqa.archs.func_util
import pyiqa.archs.niqe_arch
import pyiqa.archs.piqe_arch
import torch


def exactly():
    """Makes pyiqa's local normalisation exact: its Gaussian window is rounded to float32 and does not sum to 1, so
    that flat areas get coefficients of about 1e-6 of one sign, which count as negative (or positive) pixels in the
    fits. With the window in double precision and coefficients below 1e-9 as 0 they count as what they are."""

    def fspecial(size, sigma, channels=1):
        w = np.exp(-((np.arange(size) - (size - 1) / 2) ** 2) / (2 * sigma * sigma))
        return torch.from_numpy(np.outer(w, w) / w.sum() ** 2).repeat(channels, 1, 1, 1)

    plain = pyiqa.archs.func_util.normalize_img_with_gauss
    pyiqa.archs.func_util.fspecial = fspecial

    def normalize(*a, **k):
        c = plain(*a, **k)
        return torch.where(c.abs() < 1e-9, 0.0, c)

    for m in (pyiqa.archs.brisque_arch, pyiqa.archs.niqe_arch, pyiqa.archs.piqe_arch):
        m.normalize_img_with_gauss = normalize
