"""The step in PyTorch, eager: CIFAR ResNet with option-A shortcuts (He et al. 2016), relative L2, pgd."""
import numpy as np
import torch
import torch.nn.functional as F

import serve

a = serve.flags()
torch.set_num_threads(a.threads)
w = {k: torch.from_numpy(v) for k, v in np.load(a.weights).items()}
mean, std = torch.from_numpy(serve.MEAN).view(1, 3, 1, 1), torch.from_numpy(serve.STD).view(1, 3, 1, 1)
blocks = (serve.DEPTHS[a.model] - 2) // 6
last_layer = {"early": 1, "middle": 2, "late": 3}[a.stage]


class PassReLU(torch.autograd.Function):
    """ReLU whose gradient is the identity (Feather et al. 2023), for the tapped layer."""

    @staticmethod
    def forward(ctx, x):
        return x.relu()

    @staticmethod
    def backward(ctx, g):
        return g


def bn(x, p):
    return F.batch_norm(x, w[p + ".running_mean"], w[p + ".running_var"], w[p + ".weight"], w[p + ".bias"])


def activation(x):
    """The stage's activation of images [B,3,32,32]; no layer beyond it is computed."""
    x = F.relu(bn(F.conv2d((x - mean) / std, w["conv1.weight"], padding=1), "bn1"))
    for layer in range(1, last_layer + 1):
        for b in range(blocks):
            p, stride = f"layer{layer}.{b}.", 2 if layer > 1 and b == 0 else 1
            y = F.relu(bn(F.conv2d(x, w[p + "conv1.weight"], stride=stride, padding=1), p + "bn1"))
            y = bn(F.conv2d(y, w[p + "conv2.weight"], padding=1), p + "bn2")
            if stride == 2:
                c = y.shape[1] // 4
                x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, c, c))
            tapped = a.stage != "late" and layer == last_layer and b == blocks - 1
            x = PassReLU.apply(x + y) if tapped else F.relu(x + y)
    return x.mean((2, 3)) if a.stage == "late" else x


def nchw(images):
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()


with torch.no_grad():
    target = activation(nchw(serve.references(a))).flatten(1)
    target_norm = target.norm(dim=1)


def run(start, sizes):
    x, losses = nchw(start), []
    for size in sizes.tolist():
        x.requires_grad_()
        loss = (activation(x).flatten(1) - target).norm(dim=1) / target_norm
        g, = torch.autograd.grad(loss.sum(), x)
        with torch.no_grad():
            g /= g.flatten(1).norm(dim=1).view(-1, 1, 1, 1) + 1e-10
            x = x.sub(g, alpha=size).clamp_(0, 1)
        losses.append(loss.detach())
    return x.permute(0, 2, 3, 1).numpy(), torch.stack(losses).numpy()


serve.serve(a, run, f"torch {torch.__version__}")
