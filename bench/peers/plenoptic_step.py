"""plenoptic's Metamer with its own optimiser (Adam, step size .01) and range penalty, on the same
network and loss (the mean over the batch). Not pgd: its step is compared in time, and its losses
against evaluations. There is no golden step."""
import os

import numpy as np

os.environ["TQDM_DISABLE"] = "1"
import plenoptic as po
import torch

import serve
from torch_networks import distance, network

a = serve.flags()
torch.set_num_threads(a.threads)


class Model(torch.nn.Module):
    """plenoptic asks for activations of rank 3 or 4."""

    def __init__(self):
        super().__init__()
        self.activation = network(a)

    def forward(self, x):
        y = self.activation(x)
        return y if y.ndim > 2 else y[:, None]


def nchw(images):
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()


def loss(x, target):
    return ((x - target).flatten(1).norm(dim=1) / target.flatten(1).norm(dim=1)).mean()


model = Model().eval()
references = nchw(serve.references(a))


def run(start, sizes):
    m = po.Metamer(references, model, loss_function=loss)
    m.setup(initial_image=nchw(start))
    with serve.quiet():
        m.synthesize(max_iter=len(sizes), stop_criterion=0)
    losses = np.asarray(m.losses, np.float32)[:len(sizes), None]
    return m.metamer.detach().permute(0, 2, 3, 1).numpy(), losses


serve.serve(a, run, f"plenoptic {po.__version__} torch {torch.__version__}")
