"""Images as arrays."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from ._program import Error


def as_uint8(images) -> np.ndarray:
    """Round images [N, S, S, 3] in [0, 1] to 8 bits per channel.

    Raises:
        ValueError: A value lies outside [0, 1] or is not finite.
    """
    x = np.asarray(images)
    if x.dtype == np.uint8:
        return x
    if not (np.isfinite(x).all() and x.min() >= 0 and x.max() <= 1):
        raise ValueError(f"images have values from {x.min()} to {x.max()}: expected finite values in [0, 1]")
    return np.floor(x.astype(np.float64) * 255 + 0.5).astype(np.uint8)


def checked(images) -> np.ndarray:
    """Return images as uint8 [N, S, S, 3], or raise an error that says what was expected."""
    x = np.asarray(images)
    if x.ndim == 4 and x.shape[1] == 3 and x.shape[3] != 3:
        raise ValueError(f"images have the shape {x.shape}: expected [N, S, S, 3] (images.permute(0, 2, 3, 1) of a PyTorch tensor)")
    if x.ndim != 4 or x.shape[0] == 0 or x.shape[1] != x.shape[2] or x.shape[3] != 3:
        raise ValueError(f"images have the shape {x.shape}: expected [N, S, S, 3], square and RGB")
    eight = as_uint8(x)
    if x.dtype != np.uint8 and np.abs(x.astype(np.float64) * 255 - eight).max() > 1e-3:
        raise ValueError("images are not those of 8 bits per channel: expected uint8, or multiples of 1/255 (metamers.as_uint8 rounds them)")
    return eight


def cache() -> Path:
    """Return the cache folder of the program."""
    if named := os.environ.get("METAMERS_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "metamers"


def store(images: np.ndarray) -> Path:
    """Write images as PNG files, once, into a folder of the cache named by their SHA-256, and return it."""
    sum = hashlib.sha256(repr(images.shape).encode() + images.tobytes()).hexdigest()[:16]
    folder = cache() / "python" / sum
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as made:
        part = Path(made) / "images"
        part.mkdir()
        for i, x in enumerate(images):
            Image.fromarray(x).save(part / f"{i:06d}.png")
        try:
            part.rename(folder)
        except OSError:  # another process was faster
            if not folder.is_dir():
                raise
    return folder


def load(folder: Path) -> np.ndarray | None:
    """Read what store wrote, as float32 in [0, 1]; None for another folder."""
    if folder.parent != cache() / "python" or not folder.is_dir():
        return None
    files = sorted(folder.glob("*.png"))
    if not files:
        raise Error(f"{folder} has no images")
    return np.stack([np.asarray(Image.open(f)) for f in files]).astype(np.float32) / 255
