"""Draws small images and what PIL makes of them: shorter side to 24, centre crop.

usage: make.py (in its own folder; Pillow 13.0.0, torchvision 0.26.0)
"""
import numpy as np
from PIL import Image
from torchvision import transforms as T

rng = np.random.default_rng(3)
for w, h in [(61, 37), (33, 80), (17, 16), (24, 24), (100, 25)]:
    y, x = np.mgrid[0:h, 0:w]
    a = np.stack([128 + 120 * np.sin(x * .7 + c) * np.cos(y * .4 * (c + 1)) for c in range(3)], -1)
    a[h // 3: h // 2, w // 4: w // 2] = [255, 0, 255]
    a += rng.normal(0, 12, a.shape)
    im = Image.fromarray(a.clip(0, 255).astype(np.uint8))
    im.save(f"in_{w}x{h}.png")
    for name, f in [("bicubic", T.InterpolationMode.BICUBIC), ("bilinear", T.InterpolationMode.BILINEAR)]:
        T.CenterCrop(24)(T.Resize(24, f, antialias=True)(im)).save(f"{name}_{w}x{h}.png")
