"""Writes a PyTorch checkpoint's tensors as .npz, so that the JAX peer needs no torch.

usage: export.py CHECKPOINT.th OUT.npz
"""
import sys

import numpy as np
import torch

state = torch.load(sys.argv[1], map_location="cpu", weights_only=True)["state_dict"]
np.savez(sys.argv[2], **{k.removeprefix("module."): v.numpy() for k, v in state.items()})
