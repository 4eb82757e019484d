"""Metamers as other software saves them, small, for the tests of package foreign.

usage: foreign.py [--out metamerkit/external/testdata]
    PY -m pip install torch==2.11.0 numpy==2.4.6 plenoptic==2.1.1
Every file holds the same two references and two metamers of 16² pixels, values
k/255: metamers.npy [N,H,W,C] float32 and references.npy [N,C,H,W] uint8; both.npz
(compressed, float64); tensor.pt, dict.pt (torch.save of a tensor and of a dictionary,
NCHW); plenoptic.pt (Metamer.save after a few steps: other metamers, and metamers.npy
of them as plenoptic.npy).
"""
import argparse
import os

import numpy as np
import plenoptic as po
import torch

a = argparse.ArgumentParser()
a.add_argument("--out", default="metamerkit/external/testdata")
a = a.parse_args()
os.makedirs(a.out, exist_ok=True)
rng = np.random.default_rng(1)
ref, met = (rng.integers(0, 256, (2, 16, 16, 3)).astype(np.uint8) for _ in range(2))
np.save(f"{a.out}/metamers.npy", met.astype(np.float32) / 255)
np.save(f"{a.out}/references.npy", ref.transpose(0, 3, 1, 2))
np.savez_compressed(f"{a.out}/both.npz", metamers=met / 255, references=ref / 255)
to = lambda v: torch.from_numpy(v.astype(np.float32) / 255).permute(0, 3, 1, 2)
torch.save(to(met), f"{a.out}/tensor.pt")
torch.save({"metamer": to(met), "image": to(ref), "steps": 7, "shape": to(met).shape, "dtype": torch.float32}, f"{a.out}/dict.pt")


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return self.conv(x)


torch.manual_seed(0)
model = Model().eval()
po.remove_grad(model)
m = po.Metamer(to(ref).contiguous(), model)
m.synthesize(max_iter=3)
m.save(f"{a.out}/plenoptic.pt")
np.save(f"{a.out}/plenoptic.npy", m.metamer.detach().clamp(0, 1).permute(0, 2, 3, 1).numpy())
