"""Draws a small image, writes it in formats that Pillow reads and its own encoder does not all write, and what Pillow reads back over white, turned by ImageOps.exif_transpose: fmt_KIND.EXT and fmt_KIND.EXT.png. Files fmt_case_* are given.

usage: formats.py [CJPEG [JPEGTRAN]] (in its own folder; Pillow 13.0.0 with libjpeg-turbo 3.2.0 and libwebp 1.6.0; cjpeg and jpegtran of libjpeg-turbo 2.1.5)
"""
import glob, io, os, struct, subprocess, sys, zlib
import numpy as np
from PIL import Image, ImageOps

cjpeg, jpegtran = (sys.argv[1:] + ["cjpeg", "jpegtran"][len(sys.argv) - 1:])[:2]
rng = np.random.default_rng(7)
y, x = np.mgrid[0:29, 0:37]
a = np.stack([128 + 120 * np.sin(x * 0.5 + c) * np.cos(y * 0.3 * (c + 1)) for c in range(3)], -1)
a[8:14, 15:30] = [255, 0, 60]
a[20:26, 5:7] = [0, 255, 255]
im = Image.fromarray((a + rng.normal(0, 8, a.shape)).clip(0, 255).astype(np.uint8))
alpha = im.copy()
alpha.putalpha(Image.fromarray((x * 7 % 256).astype(np.uint8)))
ppm = io.BytesIO()
im.save(ppm, "ppm")


def run(*command, data=ppm.getvalue()):
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def write(name, data):
    with open("fmt_" + name, "wb") as f:
        f.write(data)


for s in ["1x1,2x2,2x2", "2x1,1x1,2x1", "2x2,2x1,1x1", "1x2,1x1,1x1", "4x1,1x1,1x1", "4x2,1x1,1x1", "1x1,1x1,2x2", "3x1,1x1,1x1", "1x4,1x2,1x1"]:
    write("s_" + s.replace(",", "_") + ".jpg", run(cjpeg, "-quality", "85", "-sample", s))
odd = run(cjpeg, "-quality", "85", "-sample", "2x1,1x1,2x2")
write("progressive.jpg", run(jpegtran, "-progressive", data=odd))
write("restart.jpg", run(jpegtran, "-restart", "1B", data=odd))
write("restartprogressive.jpg", run(jpegtran, "-progressive", "-restart", "2B", data=odd))
with open("scans.txt", "w") as f:
    f.write("0; 1; 2;\n")
write("scans.jpg", run(cjpeg, "-quality", "85", "-sample", "2x2", "-scans", "scans.txt"))
os.remove("scans.txt")
write("rgb.jpg", run(cjpeg, "-quality", "85", "-rgb"))
write("surplus.jpg", run(cjpeg, "-quality", "85") + b"and more\xff\xd8\xff" * 9)

cmyk = io.BytesIO()
im.convert("CMYK").save(cmyk, "jpeg", quality=85)
cmyk = cmyk.getvalue()
adobe = cmyk.index(b"\xff\xee")
n = 2 + struct.unpack(">H", cmyk[adobe + 2 : adobe + 4])[0]
write("cmykbare.jpg", cmyk[:adobe] + cmyk[adobe + n :])
write("ycck.jpg", cmyk[: adobe + n - 1] + b"\x02" + cmyk[adobe + n :])

png = io.BytesIO()
im.save(png, "png")
chunk = lambda kind, body: struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
for kind, form in {"surplus": im, "surplusgrey": im.convert("1")}.items():
    form = np.asarray(form.convert("RGB") if kind == "surplus" else form)
    rows = b"".join(b"\0" + (r.tobytes() if kind == "surplus" else np.packbits(r).tobytes()) for r in form)
    head = struct.pack(">IIBBBBB", 37, 29, 8 if kind == "surplus" else 1, 2 if kind == "surplus" else 0, 0, 0, 0)
    write(kind + ".png", png.getvalue()[:8] + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows + b"more" * 50)) + chunk(b"IEND", b""))

im.save("fmt_lossy.webp", quality=70)
im.crop((0, 0, 36, 28)).save("fmt_lossyeven.webp", quality=70)
im.crop((0, 0, 1, 29)).save("fmt_lossynarrow.webp", quality=70)
alpha.save("fmt_alpha.webp", quality=70)
alpha.save("fmt_lossless.webp", lossless=True)
im.save("fmt_plain.bmp")
im.convert("P").save("fmt_palette.bmp")
im.save("fmt_plain.tif")
im.save("fmt_lzw.tif", compression="tiff_lzw")
alpha.save("fmt_alpha.tif", compression="tiff_deflate")
im.convert("L").save("fmt_grey.tif", compression="packbits")
im.save("fmt_plain.gif")
for o in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = o
    im.save(f"fmt_turned{o}.jpg", quality=85, exif=exif)
exif[0x0112] = 6
im.save("fmt_turned.png", exif=exif)
im.save("fmt_turned.webp", lossless=True, exif=exif)
im.save("fmt_turned.tif", exif=exif)

for name in glob.glob("fmt_*"):
    if name.count(".") > 1:
        continue
    back = ImageOps.exif_transpose(Image.open(name))
    if back.mode == "RGBA":
        white = Image.new("RGBA", back.size, "white")
        white.alpha_composite(back)
        back = white
    back.convert("RGB").save(name + ".png", optimize=True)
