"""The networks in PyTorch: CIFAR ResNets with option-A shortcuts (He et al. 2016), written here,
and timm's at 224². network(a) is images [B,3,H,W] in [0,1] → the stage's activation; no layer
beyond the stage is computed."""
import numpy as np
import torch
import torch.nn.functional as F

import serve


class PassReLU(torch.autograd.Function):
    """ReLU whose gradient is the identity (Feather et al. 2023), for the tapped layer."""

    @staticmethod
    def forward(ctx, x):
        return x.relu()

    @staticmethod
    def backward(ctx, g):
        return g


def network(a):
    w = {k: torch.from_numpy(v) for k, v in np.load(a.weights).items()}
    if a.channels_last and a.model in serve.DEPTHS:
        w = {k: v.contiguous(memory_format=torch.channels_last) if v.ndim == 4 else v for k, v in w.items()}
    if a.model in serve.DEPTHS:
        return cifar(a, w)
    import timm
    model = timm.create_model(a.model, pretrained=False).eval().requires_grad_(False)
    missing, unexpected = model.load_state_dict(w, strict=False)
    if unexpected or any(not k.endswith("num_batches_tracked") for k in missing):
        raise SystemExit(f"peers: timm's {a.model} has other weights: {missing} {unexpected}")
    return late_of(model.to(memory_format=torch.channels_last) if a.channels_last else model)


def late_of(model):
    """pre_logits of timm's model: what its classifier reads."""
    cfg, dtype = model.default_cfg, next(model.parameters()).dtype
    mean, std = (torch.tensor(cfg[k], dtype=dtype).view(1, 3, 1, 1) for k in ("mean", "std"))
    return lambda x: model.forward_head(model.forward_features((x - mean) / std), pre_logits=True)


def cifar(a, w):
    mean, std = torch.from_numpy(serve.MEAN).view(1, 3, 1, 1), torch.from_numpy(serve.STD).view(1, 3, 1, 1)
    blocks = (serve.DEPTHS[a.model] - 2) // 6
    last_layer = {"early": 1, "middle": 2, "late": 3}[a.stage]

    def bn(x, p):
        return F.batch_norm(x, w[p + ".running_mean"], w[p + ".running_var"], w[p + ".weight"], w[p + ".bias"])

    def activation(x):
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

    return activation


def distance(activation, target, x):
    """Relative L2 distance of each image's activation to its target."""
    return (activation(x) - target).flatten(1).norm(dim=1) / target.flatten(1).norm(dim=1)
