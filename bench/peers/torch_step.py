"""The step in PyTorch: relative L2, pgd; eager in float32, unless flags say otherwise."""
import torch

import serve
from torch_networks import network

a = serve.flags()
torch.set_num_threads(a.threads)
activation = network(a)
layout = torch.channels_last if a.channels_last else torch.contiguous_format
if a.compile:
    activation = torch.compile(activation)


def nchw(images):
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(memory_format=layout)


def activations(x):
    with torch.autocast("cpu", torch.bfloat16, enabled=a.bfloat16):
        return activation(x).float().flatten(1)


with torch.no_grad():
    target = activations(nchw(serve.references(a)))
    target_norm = target.norm(dim=1)


def run(start, sizes):
    x, losses = nchw(start), []
    for size in sizes.tolist():
        x.requires_grad_()
        loss = (activations(x) - target).norm(dim=1) / target_norm
        g, = torch.autograd.grad(loss.sum(), x)
        with torch.no_grad():
            g /= g.flatten(1).norm(dim=1).view(-1, 1, 1, 1) + 1e-10
            x = x.sub(g, alpha=size).clamp_(0, 1)
        losses.append(loss.detach())
    return x.permute(0, 2, 3, 1).numpy(), torch.stack(losses).numpy()


serve.serve(a, run, f"torch {torch.__version__}")
