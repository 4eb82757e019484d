"""Takes three networks of one's own from PyTorch to this project, by the commands that a user types, and prints how
well activations, logits and image gradients agree with PyTorch's in float64: the table of docs/your-own-model.md.

    python own_three.py            in an empty folder, with the program metamers on the path

Needs torch, torchvision, timm, onnx and onnxscript (made with torch 2.11.0, torchvision 0.26.0, timm 1.0.31).
"""
import copy
import subprocess

import numpy
import timm
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

mean, std = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


class Block(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(4, before), nn.Conv2d(before, after, 3, stride, 1)
        self.norm2, self.conv2 = nn.GroupNorm(4, after), nn.Conv2d(after, after, 3, 1, 1)
        self.skip, self.act = nn.Conv2d(before, after, 1, stride), nn.SiLU()

    def forward(self, x):
        y = self.conv1(self.act(self.norm1(x)))
        return self.skip(x) + self.conv2(self.act(self.norm2(y)))


class Attention(nn.Module):
    def __init__(self, dim, heads=4):
        super().__init__()
        self.heads, self.norm, self.qkv, self.proj = heads, nn.GroupNorm(4, dim), nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x):
        b, c, h, w = x.shape
        t = self.norm(x).flatten(2).transpose(1, 2)
        q, k, v = self.qkv(t).reshape(b, h * w, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        t = self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, h * w, c))
        return x + t.transpose(1, 2).reshape(b, c, h, w)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 2, 1)
        self.block1, self.block2, self.attention, self.block3 = Block(16, 32, 2), Block(32, 48, 2), Attention(48), Block(48, 64, 1)
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        x = self.block3(self.attention(self.block2(self.block1(self.stem(x)))))
        return self.head(F.silu(x).mean((2, 3)))


def trained(model):
    """Moves the running statistics and weights away from where they start, as training does."""
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn(p.shape) * 0.05 * (p.abs().mean() + 0.01))
        for name, b in model.named_buffers():
            if name.endswith("running_mean"):
                b.normal_(0, 0.1)
            elif name.endswith("running_var"):
                b.uniform_(0.5, 1.5)
    return model.eval()


def metamers(command):
    print("$ metamers " + command, flush=True)
    subprocess.run(["bash", "-ec", "metamers " + command], check=True)


def largest(ours, theirs):
    """The largest difference as a share of the largest value."""
    theirs = theirs.detach().numpy()
    return float(numpy.abs(ours.reshape(theirs.shape) - theirs).max() / numpy.abs(theirs).max())


def norm(ours, theirs):
    """The L2 norm of the difference as a share of that of the value. In float32 a ReLU whose input is nearly 0 may be
    on in one program and off in the other, which changes the gradient of a patch of pixels."""
    return float(numpy.linalg.norm(ours - theirs.numpy()) / numpy.linalg.norm(theirs.numpy()))


def agreement(model, module, name, size):
    """Activations of the late stage, logits, and the gradient of the inversion loss by the pixels."""
    metamers(f"activations --model {name} --stage late,logits --images photos:2 --size {size} --gradients uniform --out {name}.npz")
    f, late = numpy.load(name + ".npz"), {}
    model = copy.deepcopy(model).double()
    # What the classifier reads.
    hook = model.get_submodule(module).register_forward_pre_hook(lambda m, args: late.update(late=args[0]))

    def both(pixels):
        logits = model((pixels.permute(0, 3, 1, 2) - mean.double()) / std.double())
        return late["late"], logits

    images, start = torch.tensor(f["images"]).double(), torch.tensor(f["start"], dtype=torch.float64, requires_grad=True)
    with torch.no_grad():
        references = both(images)
    row = [largest(f["late"], references[0]), largest(f["logits"], references[1])]
    for stage, reference, reached in zip(("late", "logits"), references, both(start)):
        loss = ((reached - reference).norm(dim=1) / reference.norm(dim=1)).sum()
        (gradient,) = torch.autograd.grad(loss, start, retain_graph=True)
        row.append(norm(f["gradient." + stage], gradient))
    hook.remove()
    return row


torch.manual_seed(0)
rows = []


def take(what, model, module, size, command, name):
    metamers(f"models add {command} --name {name}")
    rows.append((what, *agreement(model, module, name, size)))


net = trained(Net())
torch.onnx.export(net, torch.rand(1, 3, 64, 64), "net.onnx")
take("nn.Module with GroupNorm, SiLU and attention, ONNX", net, "head", 64, "--onnx net.onnx --size 64", "net")
torch.onnx.export(net, torch.rand(1, 3, 64, 64), "net_named.onnx", dynamo=False)
take("the same, `dynamo=False`", net, "head", 64, "--onnx net_named.onnx --size 64", "net_named")
small = trained(timm.create_model("resnet10t", num_classes=10))
torch.onnx.export(small, torch.rand(1, 3, 176, 176), "resnet10t.onnx")
take("timm's resnet10t, ONNX", small, "fc", 176, "--onnx resnet10t.onnx --size 176", "resnet10t")
torch.onnx.export(small, torch.rand(1, 3, 176, 176), "resnet10t_named.onnx", dynamo=False)
take("the same, `dynamo=False`", small, "fc", 176, "--onnx resnet10t_named.onnx --size 176", "resnet10t_named")
tuned = trained(torchvision.models.resnet18(num_classes=10))
torch.save(tuned.state_dict(), "finetuned.pt")
take("ResNet-18 with ten classes, state dict", tuned, "fc", 224, "--arch resnet18 --classes 10 --weights finetuned.pt", "finetuned")

print("| network | late activations | logits | gradient at late | gradient at logits |\n|---|---|---|---|---|")
for what, *numbers in rows:
    print(f"| {what} | " + " | ".join(f"{v:.0e}" for v in numbers) + " |")
    assert max(numbers[:2]) < 1e-4 and max(numbers[2:]) < 1e-2, what
print("all agree")
