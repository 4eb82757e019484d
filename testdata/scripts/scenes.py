"""Writes testdata/scenes/*.jpg: 24 photographs of the Kodak Lossless True Color Image Suite,
cropped square around the subject and resized to 256² (Lanczos), JPEG of quality 95 with full
colour resolution.

usage: scenes.py KODAK [--out testdata/scenes]     (KODAK holds kodim01.png to kodim24.png)

    PY -m pip install pillow==13.0.0
"""
import argparse
import pathlib

from PIL import Image

# name: number of the photograph, first column (wide) or row (tall) of the crop.
SCENES = {
    "macaws": (23, 90), "lighthouse_coast": (21, 100), "barn": (22, 60), "warplane": (20, 60), "raft": (14, 80), "red_hat": (4, 20),
    "mountain_stream": (13, 128), "spinnakers": (9, 130), "hibiscus": (7, 230), "statue": (17, 50), "lighthouse_fence": (19, 130),
    "motocross": (5, 100), "caps": (3, 100), "islet": (16, 190), "pier": (11, 230), "painted_face": (15, 200), "chalet": (24, 170),
    "door": (2, 60), "sailboats": (10, 130), "beach": (12, 60), "gables": (8, 128), "anchored_boat": (6, 100), "shutters": (1, 60),
    "long_dress": (18, 170),
}
EDGE, CROP, SIZE = 4, 504, 256  # some photographs have a dark edge

a = argparse.ArgumentParser()
a.add_argument("kodak", type=pathlib.Path)
a.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parents[1] / "scenes")
a = a.parse_args()
for name, (number, first) in SCENES.items():
    image = Image.open(a.kodak / f"kodim{number:02}.png").convert("RGB")
    x, y = (first, EDGE) if image.width > image.height else (EDGE, first)
    image = image.crop((x, y, x + CROP, y + CROP)).resize((SIZE, SIZE), Image.Resampling.LANCZOS)
    image.save(a.out / f"{name}.jpg", quality=95, subsampling=0, optimize=True)
