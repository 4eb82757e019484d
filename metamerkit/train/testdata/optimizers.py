"""Golden values of optimizer_test.go: five steps of PyTorch's optimisers on a loss
whose gradient is a known function of the weights.

    python -m pip install torch==2.11.0
    python optimizers.py
"""
import json

import torch

W = [[0.5, -1.0, 2.0], [0.25, 0.0, -0.75]]
RATES = [0.1, 0.2, 0.15, 0.05, 0.01]


def run(make):
    w = torch.nn.Parameter(torch.tensor(W, dtype=torch.float64))
    opt = make([w])
    out = []
    for rate in RATES:
        opt.param_groups[0]["lr"] = rate
        opt.zero_grad()
        loss = (w**2 * torch.tensor([1.0, 2.0, 3.0]) / 2 + torch.sin(w)).sum()
        loss.backward()
        opt.step()
        out.append(w.detach().flatten().tolist())
    return out


print(json.dumps({
    "sgd": run(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True)),
    "adamw": run(lambda p: torch.optim.AdamW(p, lr=0.1, betas=(0.9, 0.999), weight_decay=0.05)),
}))
