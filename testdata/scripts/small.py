"""The small networks that this project trains and no library has, written independently of the Go code."""
import timm
import torch
import torch.nn.functional as F
from torch import nn


class ConvNorm(nn.Module):
    """3x3 convolution without bias, batch norm."""
    def __init__(self, i, o, stride):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)

    def forward(self, x):
        return self.norm(self.conv(x))


class Plain(nn.Module):
    """Blocks of 3x3 convolutions, 2x2 max pooling between them, global mean, linear."""
    def __init__(self, widths, depth=2, stride=1, classes=10):
        super().__init__()
        self.n, c = len(widths), 3
        for i, w in enumerate(widths, 1):
            block = nn.Sequential()
            for _ in range(depth):
                block.append(ConvNorm(c, w, stride))
                c, stride = w, 1
            setattr(self, f"block{i}", block)
            setattr(self, f"act{i}", nn.ReLU())
        self.classifier = nn.Linear(c, classes)

    def forward(self, x):
        for i in range(1, self.n + 1):
            if i > 1:
                x = F.max_pool2d(x, 2)
            *first, last = getattr(self, f"block{i}")
            for m in first:
                x = F.relu(m(x))
            x = getattr(self, f"act{i}")(last(x))
        return self.classifier(x.mean((2, 3)))


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut that pads channels (He et al. 2016, option A)."""
    def __init__(self, i, o, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        self.side, self.stride, self.act = (o - i) // 2, stride, nn.ReLU()

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return self.act(y + F.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, self.side, self.side)))


class ResNet(nn.Module):
    def __init__(self, depth, widths, stride=1, classes=10):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, widths[0], 3, stride, 1, bias=False), nn.BatchNorm2d(widths[0])
        c = widths[0]
        for i, w in enumerate(widths, 1):
            layer = nn.Sequential()
            for j in range((depth - 2) // 6):
                layer.append(Block(c, w, 2 if i > 1 and j == 0 else 1))
                c = w
            setattr(self, f"layer{i}", layer)
        self.linear = nn.Linear(c, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


class Stem(nn.Module):
    """3x3 convolutions of stride 2 with norm and GELU, then 1x1 (arXiv:2303.01870)."""
    def __init__(self, channels, out):
        super().__init__()
        parts, c = [], 3
        for n in channels:
            parts += [nn.Conv2d(c, n, 3, 2, 1), timm.layers.LayerNorm2d(n, eps=1e-6), nn.GELU()]
            c = n
        self.stem = nn.Sequential(*parts, nn.Conv2d(c, out, 1))

    def forward(self, x):
        return self.stem(x)


def vit_conv(stem, **args):
    """timm's ViT of patches of 4 behind two convolutions of stride 2."""
    net = timm.create_model("vit_tiny_patch16_224", patch_size=4, **args)
    net.patch_embed.proj = Stem([stem, 2 * stem], net.embed_dim)
    return net


def convnext(**args):
    """timm's ConvNeXt of patches of 2, which would halve once more before its first stage."""
    net = timm.create_model("convnext_tiny", patch_size=2, **args)
    net.stages[0].downsample = nn.Identity()
    return net
