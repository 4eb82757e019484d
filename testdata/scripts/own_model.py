"""Makes small networks as their users have them, with what PyTorch computes of them.

    OMP_NUM_THREADS=1 python own_model.py ../../cmd/metamers/testdata/own

Needs torch, timm, onnx and onnxscript (made with torch 2.11.0, timm 1.0.31, onnx 1.23.2). The networks are
those of docs/your-own-model.md made narrow: a ResNet-18 in a training checkpoint, and one with group
normalisation, SiLU and attention, from both exporters.
"""
import pathlib
import sys

import numpy
import onnx
import timm
import torch
from torch import nn

to = pathlib.Path(sys.argv[1])
mean, std = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


class Block(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        self.norm, self.act = nn.GroupNorm(4, before), nn.SiLU()
        self.conv, self.skip = nn.Conv2d(before, after, 3, 2, 1), nn.Conv2d(before, after, 1, 2)

    def forward(self, x):
        return self.skip(x) + self.conv(self.act(self.norm(x)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.block1, self.block2 = nn.Conv2d(3, 8, 3, 2, 1), Block(8, 12), Block(12, 16)
        self.attention, self.head = nn.MultiheadAttention(16, 4, batch_first=True), nn.Linear(16, 10)

    def forward(self, x):
        x = self.block2(self.block1(self.stem(x)))
        tokens = x.flatten(2).transpose(1, 2)
        tokens = tokens + self.attention(tokens, tokens, tokens, need_weights=False)[0]
        return self.head(tokens.mean(1))


def check(model, name, size, names):
    """What models add --help has as a script."""
    x, seen = torch.rand(2, 3, size, size), {}

    def keep(name):
        return lambda module, args, out: seen.update({name: out})

    for key, module in names.items():
        model.get_submodule(module).register_forward_hook(keep(key))
    seen["logits"] = model.eval()((x - mean) / std)
    numpy.savez(to / name, images=x, **{k: seen[k].detach() for k in seen})


torch.manual_seed(0)
narrow = timm.models.resnet.ResNet(timm.models.resnet.BasicBlock, [1, 1, 1, 1], channels=(4, 6, 8, 10), num_classes=10)
for name, b in narrow.named_buffers():
    if name.endswith("running_mean"):
        b.normal_(0, 0.1)
    elif name.endswith("running_var"):
        b.uniform_(0.5, 1.5)
check(narrow, "narrow.npz", 48, {"layer1": "layer1", "late": "global_pool"})
state = {"backbone." + k: v for k, v in narrow.state_dict().items()} | {"criterion.weight": torch.ones(10)}
torch.save({"epoch": 3, "net": state, "losses": [0.5] * 100, "scale": torch.ones(3).to(torch.float8_e4m3fn)}, to / "narrow.pt")
net = Net().eval()
torch.onnx.export(net, torch.rand(1, 3, 32, 32), to / "net.onnx")
graph = onnx.load(to / "net.onnx", load_external_data=False)
for node in graph.graph.node:  # stack traces have the paths of this machine
    for entry in [e for e in node.metadata_props if e.key.endswith("stack_trace")]:
        node.metadata_props.remove(entry)
(to / "net.onnx").write_bytes(graph.SerializeToString())
torch.onnx.export(net, torch.rand(1, 3, 32, 32), to / "named.onnx", dynamo=False)
check(net, "net.npz", 32, {})
check(net, "named.npz", 32, {"/block1/Add": "block1", "middle": "block2"})
