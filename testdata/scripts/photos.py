"""Reference photographs from Debian's package tuxpaint-stamps-default.

    apt-get download tuxpaint-stamps-default=2022.06.04-1
    dpkg-deb -x tuxpaint-stamps-default_*.deb stamps
    python -m pip install pillow==13.0.0
    python testdata/scripts/photos.py stamps testdata/photos

Reads labels.tsv in the target folder, which was written by hand while looking at
every picture of the package, and writes one JPEG for each of its rows: composited
over white, padded with white to a square, 224 pixels a side (Lanczos), quality 90.
A source below 150 pixels on its longer side is an error. JPEG files that belong to
no row are removed. With --sheet it also draws a contact sheet to look at.
"""
import argparse
import csv
import pathlib
import sys

from PIL import Image, ImageDraw

SIZE, SMALLEST = 224, 150


def square(path):
    im = Image.open(path).convert("RGBA")
    if max(im.size) < SMALLEST:
        sys.exit(f"{path} has {im.width}x{im.height} pixels, expected at least {SMALLEST} on the longer side")
    side = max(im.size)
    page = Image.new("RGBA", (side, side), "white")
    page.alpha_composite(im, ((side - im.width) // 2, (side - im.height) // 2))
    return page.convert("RGB").resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("stamps", type=pathlib.Path, help="the unpacked package")
    p.add_argument("photos", type=pathlib.Path, help="folder with labels.tsv")
    p.add_argument("--sheet", type=pathlib.Path)
    a = p.parse_args()
    with open(a.photos / "labels.tsv", newline="") as f:
        rows = list(csv.DictReader(f, delimiter="\t"))
    names = [r["name"] for r in rows]
    assert len(set(names)) == len(names), "a name is there twice"
    pictures = {}
    for r in rows:
        pictures[r["name"]] = square(a.stamps / "usr/share/tuxpaint/stamps" / r["source"])
        pictures[r["name"]].save(a.photos / (r["name"] + ".jpg"), quality=90, optimize=True)
    for old in a.photos.glob("*.jpg"):
        if old.stem not in pictures:
            old.unlink()
    print(len(rows), "photographs,", sum(f.stat().st_size for f in a.photos.glob("*.jpg")), "bytes")
    if a.sheet:
        side, cols = 104, 16
        sheet = Image.new("RGB", (cols * side, -(-len(rows) // cols) * (side + 24)), "white")
        draw = ImageDraw.Draw(sheet)
        for i, r in enumerate(rows):
            x, y = i % cols * side, i // cols * (side + 24)
            sheet.paste(pictures[r["name"]].resize((side - 4, side - 4)), (x + 2, y + 2))
            draw.text((x + 2, y + side - 2), r["name"][:16], fill="black")
            draw.text((x + 2, y + side + 9), f"{r['cifar10'][:8]} {r['imagenet_name'][:9]}".replace("none", "-"), fill="blue")
        sheet.save(a.sheet)


if __name__ == "__main__":
    main()
