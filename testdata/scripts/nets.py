"""The networks of the golden values, written independently of the Go code.

Every net maps pixels [B,3,32,32] in [0,1] to {layer: activation}. `fake_relu` names
a layer whose ReLU passes the gradient unchanged (Feather et al. 2023).
"""
import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from safetensors.torch import load_file


class FakeReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, g):
        return g


def relu(x, name, fake):
    return FakeReLU.apply(x) if name == fake else F.relu(x)


def state(path):
    d = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    return {k.removeprefix("module."): v for k, v in d.items()}


def normal(mean, std):
    m, s = torch.tensor(mean).view(1, 3, 1, 1), torch.tensor(std).view(1, 3, 1, 1)
    return lambda x: (x - m) / s


def resnet_cifar(depth, path):
    w = state(path)
    n, norm = (depth - 2) // 6, normal([.485, .456, .406], [.229, .224, .225])

    def bn(x, p):
        return F.batch_norm(x, w[p + ".running_mean"], w[p + ".running_var"], w[p + ".weight"], w[p + ".bias"])

    def forward(x, fake=None):
        out = {}
        x = F.relu(bn(F.conv2d(norm(x), w["conv1.weight"], padding=1), "bn1"))
        for s in range(3):
            for b in range(n):
                p, stride = f"layer{s+1}.{b}.", 2 if s and not b else 1
                y = F.relu(bn(F.conv2d(x, w[p + "conv1.weight"], stride=stride, padding=1), p + "bn1"))
                y = bn(F.conv2d(y, w[p + "conv2.weight"], padding=1), p + "bn2")
                if stride == 2:
                    c = y.shape[1] // 4
                    x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, c, c))
                last = f"layer{s+1}" if b == n - 1 else ""
                x = relu(x + y, last or None, fake or 0)
            out[f"layer{s+1}"] = x
        out["avgpool"] = x.mean((2, 3))
        out["logits"] = F.linear(out["avgpool"], w["linear.weight"], w["linear.bias"])
        return out

    return forward, dict(early="layer1", middle="layer2", late="avgpool")


def resnet_small(layers, path, stages):
    w, norm = state(path), normal([.4914, .4822, .4465], [.2471, .2435, .2616])

    def conv(x, p, **k):
        return F.conv2d(x, w[p + ".weight"], w[p + ".bias"], **k)

    def forward(x, fake=None):
        out = {}
        x = out["conv1"] = relu(conv(norm(x), "conv1", stride=2, padding=1), "conv1", fake)
        for s in range(layers):
            for b in range(2):
                p, stride = f"layer{s+1}.{b}.", 1 if b else 2
                y = conv(F.relu(conv(x, p + "conv1", stride=stride, padding=1)), p + "conv2", padding=1)
                x = relu(y + (x if b else conv(x, p + "shortcut.0", stride=2)), f"layer{s+1}" if b else "", fake)
            out[f"layer{s+1}"] = x
        x = out["linear1"] = relu(F.linear(x.flatten(1), w["linear1.weight"], w["linear1.bias"]), "linear1", fake)
        out["logits"] = F.linear(x, w["linear2.weight"], w["linear2.bias"])
        return out

    return forward, stages


vit_normal = normal([.4914, .4822, .4465], [.2023, .1994, .2010])


def vit_path(folder):
    return f"{folder}/robust_vit_pgd_2_3_16.onnx"


def vit(path):
    g = onnx.load(path).graph
    w = {i.name: torch.from_numpy(np.array(numpy_helper.to_array(i))) for i in g.initializer}
    mats = {n.name: w[i] for n in g.node for i in n.input if n.op_type == "MatMul" and i in w}

    def bn(x, p):  # over the channels, the last axis
        s = w[p + ".weight"] / torch.sqrt(w[p + ".running_var"] + 1e-5)
        return (x - w[p + ".running_mean"]) * s + w[p + ".bias"]

    def lin(x, node, bias):
        return x @ mats[node + "/MatMul"] + w[bias + ".bias"]

    def forward(x, fake=None):
        out = {}
        x = F.conv2d(vit_normal(x), w["0.projection.weight"], w["0.projection.bias"], stride=16)
        x = x.flatten(2).transpose(1, 2)
        x = torch.cat([w["0.cls_token"].expand(x.shape[0], 1, -1), x], 1) + w["0.positions"]
        out["/0/Add_1"] = x
        for b in range(2):
            n, p = f"/1/1.{b}/1.{b}.0/fn/fn.1/", f"1.{b}.0.fn."
            y = bn(x, p + "0.norm")
            q, k, v = (lin(y, n + s, p + "1." + s).view(*y.shape[:2], 3, 16).transpose(1, 2) for s in ("query", "key", "value"))
            a = torch.softmax(q @ k.transpose(2, 3) / 4, -1) @ v
            x = x + lin(a.transpose(1, 2).flatten(2), n + "out", p + "1.out")
            n, p = f"/1/1.{b}/1.{b}.1/fn/fn.1/", f"1.{b}.1.fn."
            x = x + lin(F.relu(lin(bn(x, p + "0.norm"), n + "fn.1.0", p + "1.0")), n + "fn.1.3", p + "1.3")
            out[f"/1/1.{b}/1.{b}.1/Add"] = x
        out["/2/2.1/BatchNormalization"] = bn(x.mean(1), "2.1")
        out["logits"] = F.linear(out["/2/2.1/BatchNormalization"], w["2.2.weight"], w["2.2.bias"])
        return out

    return forward, dict(early="/0/Add_1", middle="/1/1.0/1.0.1/Add", late="/2/2.1/BatchNormalization")


def load(name, folder):
    return {
        "resnet20_cifar10": lambda: resnet_cifar(20, f"{folder}/resnet20-12fca82f.th"),
        "resnet56_cifar10": lambda: resnet_cifar(56, f"{folder}/resnet56-4bfd9763.th"),
        "resnet2b": lambda: resnet_small(1, f"{folder}/resnet2b.pth", dict(early="conv1", middle="layer1", late="linear1")),
        "resnet4b": lambda: resnet_small(2, f"{folder}/resnet4b.pth", dict(early="layer1", middle="layer2", late="linear1")),
        "vit_pgd_2_3_16": lambda: vit(vit_path(folder)),
    }[name]()


NAMES = ["resnet20_cifar10", "resnet56_cifar10", "resnet2b", "resnet4b", "vit_pgd_2_3_16"]


def relative(a, t):
    return (a - t).flatten(1).norm(dim=1) / t.flatten(1).norm(dim=1)


def cifar_test(folder):
    raw = np.fromfile(f"{folder}/test_batch.bin", np.uint8).reshape(-1, 3073)
    return torch.from_numpy(raw[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32) / 255), raw[:, 0]


def carried(name, folder):
    """A network that the repository carries: its forward function and its stages."""
    w = {k: v.float() for k, v in load_file(f"{folder}/{name}.safetensors").items()}
    norm = normal([.4914, .4822, .4465], [.2471, .2435, .2616])
    return {"resnet8_48": resnet8, "plain7_48": plain7, "vit_4_96": vit_4_96}[name.split(".")[0]](w, norm)


def batch_norm(x, w, p):
    return F.batch_norm(x, w[p + ".running_mean"], w[p + ".running_var"], w[p + ".weight"], w[p + ".bias"])


def resnet8(w, norm):
    def forward(x, fake=None):
        out = {}
        x = F.relu(batch_norm(F.conv2d(norm(x), w["conv1.weight"], stride=2, padding=1), w, "bn1"))
        for s in range(3):
            p, stride = f"layer{s+1}.0.", 2 if s else 1
            y = F.relu(batch_norm(F.conv2d(x, w[p + "conv1.weight"], stride=stride, padding=1), w, p + "bn1"))
            y = batch_norm(F.conv2d(y, w[p + "conv2.weight"], padding=1), w, p + "bn2")
            if s:
                c = (y.shape[1] - x.shape[1]) // 2
                x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, c, c))
            x = out[f"layer{s+1}"] = relu(x + y, f"layer{s+1}", fake)
        out["avgpool"] = x.mean((2, 3))
        out["logits"] = F.linear(out["avgpool"], w["linear.weight"], w["linear.bias"])
        return out

    return forward, dict(early="layer1", middle="layer2", late="avgpool")


def plain7(w, norm):
    def forward(x, fake=None):
        out, x = {}, norm(x)
        for s in range(3):
            name = f"block{s+1}"
            if s:
                x = F.max_pool2d(x, 2)
            for c in range(2):
                x = F.conv2d(x, w[f"{name}.{c}.conv.weight"], stride=1 if s or c else 2, padding=1)
                x = relu(batch_norm(x, w, f"{name}.{c}.norm"), name if c else "", fake)
            out[name] = x
        out["avgpool"] = x.mean((2, 3))
        out["logits"] = F.linear(out["avgpool"], w["classifier.weight"], w["classifier.bias"])
        return out

    return forward, dict(early="block1", middle="block2", late="avgpool")


def vit_4_96(w, norm):
    def lin(x, p):
        return F.linear(x, w[p + ".weight"], w[p + ".bias"])

    def ln(x, p):
        return F.layer_norm(x, (96,), w[p + ".weight"], w[p + ".bias"], 1e-6)

    def forward(x, fake=None):
        out = {}
        x = F.conv2d(norm(x), w["patch_embed.proj.weight"], w["patch_embed.proj.bias"], stride=4).flatten(2).transpose(1, 2)
        x = torch.cat([w["cls_token"].expand(len(x), 1, -1), x], 1) + w["pos_embed"]
        for b in range(6):
            p = f"blocks.{b}."
            q, k, v = lin(ln(x, p + "norm1"), p + "attn.qkv").view(*x.shape[:2], 3, 4, 24).permute(2, 0, 3, 1, 4)
            y = torch.softmax(q @ k.transpose(2, 3) / 24 ** .5, -1) @ v
            x = x + lin(y.transpose(1, 2).flatten(2), p + "attn.proj")
            x = x + lin(F.gelu(lin(ln(x, p + "norm2"), p + "mlp.fc1")), p + "mlp.fc2")
            out[f"blocks.{b}"] = x
        out["pre_logits"] = ln(x[:, 1:].mean(1), "fc_norm")
        out["logits"] = lin(out["pre_logits"], "head")
        return out

    return forward, dict(early="blocks.1", middle="blocks.3", late="pre_logits")
