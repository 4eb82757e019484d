"""Draws a small image, writes it as JPEG of every kind, and what PIL reads back: jpeg_KIND.jpg and jpeg_KIND.png.

usage: jpeg.py (in its own folder; Pillow 13.0.0 with libjpeg-turbo 3.2.0, torchvision 0.26.0)
"""
import numpy as np
from PIL import Image, ImageOps
from torchvision import transforms as T

rng = np.random.default_rng(5)
y, x = np.mgrid[0:45, 0:61]
a = np.stack([128 + 120 * np.sin(x * 0.5 + c) * np.cos(y * 0.3 * (c + 1)) for c in range(3)], -1)
a[12:22, 15:30] = [255, 0, 60]
a[30:40, 40:42] = [0, 255, 255]
im = Image.fromarray((a + rng.normal(0, 8, a.shape)).clip(0, 255).astype(np.uint8))
odd = im.crop((0, 0, 5, 44))  # chroma of three columns
narrow = im.crop((10, 0, 14, 43))  # of two
kinds = {
    "444": (im, {"subsampling": "4:4:4"}),
    "422": (im, {"subsampling": "4:2:2"}),
    "420": (im, {"subsampling": "4:2:0"}),
    "420odd": (odd, {"subsampling": "4:2:0"}),
    "420narrow": (narrow, {"subsampling": "4:2:0"}),
    "422narrow": (narrow, {"subsampling": "4:2:2"}),
    "progressive": (im, {"progressive": True, "subsampling": "4:2:0"}),
    "gray": (im.convert("L"), {}),
    "cmyk": (im.convert("CMYK"), {}),
}
for name, (what, options) in kinds.items():
    what.save(f"jpeg_{name}.jpg", quality=90, **options)
# The orientation that a camera noted is applied.
exif = Image.Exif()
exif[0x0112] = 6
im.save("jpeg_turned.jpg", quality=90, exif=exif)
for name in [*kinds, "turned"]:
    back = ImageOps.exif_transpose(Image.open(f"jpeg_{name}.jpg")).convert("RGB")
    back.save(f"jpeg_{name}.png")
    T.CenterCrop(20)(T.Resize(22, T.InterpolationMode.BICUBIC)(back)).save(f"jpeg_{name}_20.png")
