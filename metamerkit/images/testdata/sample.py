"""Writes sample.json: of each photograph of ../shared/data/imagenet-sample, after PIL's decoding and timm's evaluation
transform, the mean of each channel (0 to 255) and the top-1 class that PyTorch gives.

    OMP_NUM_THREADS=1 python sample.py ../../../../shared/data

Needs torch 2.11.0, torchvision 0.26.0, timm 1.0.31 and pillow 13.0.0 (libjpeg-turbo 3.2.0), the versions it was made with. No pixel of
the photographs is in the file. ViT-Ti reads 224 of 248 (crop .9), bicubic; SqueezeNet 1.0 (BGR, 0 to 255 less 104, 117,
123) 227 of 256, bilinear.
"""
import json
import pathlib
import sys

import numpy as np
import PIL
import safetensors.torch
import timm
import torch
import torchvision
from PIL import Image
from torchvision import transforms as T

data = pathlib.Path(sys.argv[1])
torch.set_num_threads(1)
vit = timm.create_model("vit_tiny_patch16_224").eval()
vit.load_state_dict(safetensors.torch.load_file(data / "weights/vit_tiny_patch16_224.augreg.safetensors"))
squeeze = torchvision.models.squeezenet1_0().eval()
squeeze.load_state_dict(safetensors.torch.load_file(data / "weights/squeezenet1_0.deepcompression.safetensors"))


def vit_input(x):
    return (x / 255 - 0.5) / 0.5


def squeeze_input(x):
    return x[:, [2, 1, 0]] - torch.tensor([104.0, 117.0, 123.0]).view(1, 3, 1, 1)


models = {
    "vit": (vit, vit_input, T.Compose([T.Resize(248, T.InterpolationMode.BICUBIC), T.CenterCrop(224)])),
    "squeezenet": (squeeze, squeeze_input, T.Compose([T.Resize(256, T.InterpolationMode.BILINEAR), T.CenterCrop(227)])),
}
out = {"pillow": PIL.__version__, "torch": torch.__version__, "timm": timm.__version__, "images": {}}
right = dict.fromkeys(models, 0)
lines = (data / "imagenet-sample/labels.tsv").read_text().splitlines()[1:]
for line in lines:
    name, _, label, _ = line.split("\t")
    im = Image.open(data / "imagenet-sample" / name).convert("RGB")
    row = {}
    for key, (net, prepare, transform) in models.items():
        a = np.array(transform(im))
        with torch.no_grad():
            top = net(prepare(torch.from_numpy(a).permute(2, 0, 1)[None].float()))[0].topk(2)
        right[key] += int(top.indices[0]) == int(label)
        row[key] = {
            "mean": [round(float(v), 4) for v in a.reshape(-1, 3).astype(np.float64).mean(0)],
            "class": int(top.indices[0]),
            "margin": round(float(top.values[0] - top.values[1]), 4),
        }
    out["images"][name] = row
out["right"] = right
print(right, len(lines))
text = json.dumps(out, separators=(",", ":")).replace('},"n', '},\n"n')
(pathlib.Path(__file__).parent / "sample.json").write_text(text + "\n")
