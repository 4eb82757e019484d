"""Torch modules for onnx_modules.py. Each takes [1,4,8,8]."""

import torch
import torch.nn.functional as F
from torch import nn


class Fn(nn.Module):
    """A module of a function, and of the modules that it uses."""

    def __init__(self, f, *parts):
        super().__init__()
        self.f, self.parts = f, nn.ModuleList(parts)

    def forward(self, x):
        return self.f(x, *self.parts)


def fn(f, *parts):
    return lambda: Fn(f, *[p() for p in parts])


def conv(*a, **k):
    return lambda: nn.Conv2d(*a, **k)


def with_statistics(m):
    """Gives a batch normalisation statistics and weights of a trained one."""
    for p in (m.running_mean, m.weight.data, m.bias.data):
        p.uniform_(-1, 1)
    m.running_var.uniform_(.5, 2)
    m.weight.data += 1.5
    return m


def uniform(m):
    for p in m.parameters():
        nn.init.uniform_(p, .25, 1)
    return m


class Attention(nn.Module):
    """As in timm's vision transformer, over the 64 positions."""

    def __init__(self, fused):
        super().__init__()
        self.fused, self.qkv, self.proj = fused, nn.Linear(4, 24), nn.Linear(8, 4)

    def forward(self, x):
        t = x.flatten(2).transpose(1, 2)
        b, n, _ = t.shape
        q, k, v = self.qkv(t).reshape(b, n, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
        if self.fused:
            a = F.scaled_dot_product_attention(q, k, v)
        else:
            a = ((q * .5) @ k.transpose(-2, -1)).softmax(-1) @ v
        return self.proj(a.transpose(1, 2).reshape(b, n, 8))


class Windows(nn.Module):
    """Shifted windows, as in Swin."""

    def forward(self, x):
        x = x.permute(0, 2, 3, 1)
        b, h, w, c = x.shape
        x = torch.roll(x, (-2, -2), (1, 2)).view(b, h // 4, 4, w // 4, 4, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 16, c)
        x = x * torch.softmax(x, 1)
        x = x.view(b, h // 4, w // 4, 4, 4, c).permute(0, 1, 3, 2, 4, 5).reshape(b, h, w, c)
        return torch.roll(x, (2, 2), (1, 2))


class Tokens(nn.Module):
    """Patch embedding, class token and positions."""

    def __init__(self):
        super().__init__()
        self.embed, self.cls, self.pos, self.norm, self.head = nn.Conv2d(4, 6, 2, 2), nn.Parameter(torch.randn(1, 1, 6)), nn.Parameter(torch.randn(1, 17, 6)), nn.LayerNorm(6), nn.Linear(6, 5)

    def forward(self, x):
        t = self.embed(x).flatten(2).transpose(1, 2)
        t = torch.cat([self.cls.expand(t.shape[0], -1, -1), t], 1) + self.pos
        return self.head(self.norm(t)[:, 0])


class Shuffle(nn.Module):
    """Channel shuffle and split, as in ShuffleNet."""

    def forward(self, x):
        b, c, h, w = x.shape
        x = x.view(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w)
        a, d = x.chunk(2, 1)
        return torch.cat([d, a * 2], 1)


class Excite(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(4, 2, 1), nn.Conv2d(2, 4, 1)

    def forward(self, x):
        return x * self.b(F.silu(self.a(x.mean((2, 3), keepdim=True)))).sigmoid()


class Blur(nn.Module):
    """Anti-aliased downsampling with a fixed kernel."""

    def __init__(self):
        super().__init__()
        k = torch.tensor([1., 2, 1])
        self.register_buffer("k", (k[:, None] * k / 16).expand(4, 1, 3, 3).contiguous())

    def forward(self, x):
        return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), self.k, stride=2, groups=4)


def activations():
    return {
        "ReLU": nn.ReLU, "LeakyReLU": lambda: nn.LeakyReLU(.2), "ELU": lambda: nn.ELU(.7), "SELU": nn.SELU, "CELU": lambda: nn.CELU(1.3), "GELU": nn.GELU, "GELU_tanh": lambda: nn.GELU("tanh"),
        "SiLU": nn.SiLU, "Mish": nn.Mish, "Hardswish": nn.Hardswish, "Hardsigmoid": nn.Hardsigmoid, "Hardtanh": lambda: nn.Hardtanh(-.5, .8), "ReLU6": nn.ReLU6, "Softplus": nn.Softplus,
        "Softplus_beta": lambda: nn.Softplus(2), "Softsign": nn.Softsign, "Sigmoid": nn.Sigmoid, "Tanh": nn.Tanh, "LogSigmoid": nn.LogSigmoid, "Tanhshrink": nn.Tanhshrink,
        "Softshrink": nn.Softshrink, "Hardshrink": nn.Hardshrink, "PReLU": lambda: nn.PReLU(4), "PReLU_one": nn.PReLU, "GLU": lambda: nn.GLU(1), "Threshold": lambda: nn.Threshold(.3, -1),
        "Softmax2d": nn.Softmax2d, "LogSoftmax": lambda: nn.LogSoftmax(1), "Softmin": lambda: nn.Softmin(-1),
    }


def convolutions():
    return {
        "Conv": conv(4, 3, 3, padding=1), "Conv_stride": conv(4, 3, 3, 2, 1), "Conv_even": conv(4, 3, 2, 2), "Conv_even_pad": conv(4, 3, 4, 2, 1), "Conv_dilated": conv(4, 3, 3, padding=2, dilation=2), "Conv_groups": conv(4, 6, 3, padding=1, groups=2),
        "Conv_depthwise": conv(4, 8, 3, 2, 1, groups=4), "Conv_depthwise_even": conv(4, 4, 4, 2, 1, groups=4), "Conv_same": conv(4, 3, 4, padding="same"), "Conv_same_dilated": conv(4, 3, 3, padding="same", dilation=2), "Conv_reflect": conv(4, 3, 3, padding=1, padding_mode="reflect"), "Conv_circular": conv(4, 3, 3, padding=(1, 2), padding_mode="circular"),
        "Conv_replicate": conv(4, 3, 3, padding=1, padding_mode="replicate"), "Conv_tall": conv(4, 3, (3, 1), (2, 1), (1, 0)), "Conv_plain": conv(4, 3, 1, bias=False), "Conv1d": fn(lambda x, c: c(x.flatten(2)), lambda: nn.Conv1d(4, 3, 5, 2, 2)),
        "Conv3d": fn(lambda x, c: c(x.unsqueeze(1)), lambda: nn.Conv3d(1, 2, 3, padding=1)), "Transposed": lambda: nn.ConvTranspose2d(4, 3, 2, 2), "Transposed_3": lambda: nn.ConvTranspose2d(4, 3, 3, 2, 1, output_padding=1), "Transposed_4": lambda: nn.ConvTranspose2d(4, 3, 4, 2, 1, bias=False), "Transposed_groups": lambda: nn.ConvTranspose2d(4, 4, 3, 1, 1, groups=2),
        "Transposed_dilated": lambda: nn.ConvTranspose2d(4, 2, 3, 2, 0, dilation=2), "Weight_normed": lambda: torch.nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 3, 3)), "Standardised": fn(lambda x, c: F.conv2d(x, F.batch_norm(c.weight.reshape(1, 3, -1), None, None, training=True, eps=1e-6).reshape_as(c.weight), c.bias), conv(4, 3, 3)),
    }


def pools():
    return {
        "MaxPool": lambda: nn.MaxPool2d(2), "MaxPool_3": lambda: nn.MaxPool2d(3, 2, 1), "MaxPool_ceil": lambda: nn.MaxPool2d(3, 2, ceil_mode=True), "MaxPool_same": lambda: nn.MaxPool2d(5, 1, 2), "MaxPool_dilated": lambda: nn.MaxPool2d(2, 1, dilation=2), "AvgPool": lambda: nn.AvgPool2d(2), "AvgPool_pad": lambda: nn.AvgPool2d(3, 2, 1),
        "AvgPool_exclude": lambda: nn.AvgPool2d(3, 1, 1, count_include_pad=False), "AvgPool_ceil": lambda: nn.AvgPool2d(3, 2, ceil_mode=True), "AvgPool_ceil_exclude": lambda: nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False), "LPPool": fn(lambda x, p: p(x.abs() + .1), lambda: nn.LPPool2d(2, 3, 2)),
        "Adaptive": lambda: nn.AdaptiveAvgPool2d(1), "Adaptive_4": lambda: nn.AdaptiveAvgPool2d(4), "Adaptive_max": lambda: nn.AdaptiveMaxPool2d(1), "Mean": fn(lambda x: x.mean((2, 3))), "Max": fn(lambda x: x.amax((2, 3))), "Blur": Blur, "AvgPool1d": fn(lambda x: F.avg_pool1d(x.flatten(2), 4, 2, 1)), "GeM": fn(lambda x: F.avg_pool2d(x.clamp(min=.01).pow(3), 8).pow(1 / 3)),
    }


def norms():
    return {
        "BatchNorm": lambda: with_statistics(nn.BatchNorm2d(4)), "BatchNorm_plain": lambda: nn.BatchNorm2d(4, affine=False), "InstanceNorm": lambda: nn.InstanceNorm2d(4), "InstanceNorm_affine": lambda: uniform(nn.InstanceNorm2d(4, affine=True)), "GroupNorm": lambda: uniform(nn.GroupNorm(2, 4)), "GroupNorm_1": lambda: uniform(nn.GroupNorm(1, 4, eps=.01)),
        "LayerNorm": lambda: uniform(nn.LayerNorm([4, 8, 8])), "LayerNorm_last": lambda: uniform(nn.LayerNorm(8)), "LayerNorm_plain": lambda: nn.LayerNorm(8, elementwise_affine=False), "LayerNorm2d": fn(lambda x, n: n(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), lambda: uniform(nn.LayerNorm(4))), "RMSNorm": lambda: uniform(nn.RMSNorm(8, eps=1e-5)),
        "LocalResponse": lambda: nn.LocalResponseNorm(3, .5), "Normalize": fn(lambda x: F.normalize(x, dim=1)), "GRN": fn(lambda x: x * (x.norm(dim=(2, 3), keepdim=True) / (x.norm(dim=(2, 3), keepdim=True).mean(1, keepdim=True) + 1e-6)) + x), "Standard": fn(lambda x: (x - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True) + 1e-5).sqrt()), "Std": fn(lambda x: x.std((2, 3))), "ConvBN": lambda: nn.Sequential(nn.Conv2d(4, 4, 3, bias=False), with_statistics(nn.BatchNorm2d(4)), nn.ReLU()),
    }


def resizes():
    def up(**k):
        return fn(lambda x: F.interpolate(x, **k))

    return {
        "ZeroPad": lambda: nn.ZeroPad2d((1, 2, 0, 3)), "ConstantPad": lambda: nn.ConstantPad2d(1, 1.5), "ReflectionPad": lambda: nn.ReflectionPad2d(2), "ReplicationPad": lambda: nn.ReplicationPad2d((0, 2, 1, 3)), "CircularPad": lambda: nn.CircularPad2d(2), "Crop": lambda: nn.ZeroPad2d(-2), "Pad_channels": fn(lambda x: F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2))),
        "Up_nearest": lambda: nn.Upsample(scale_factor=2), "Up_bilinear": lambda: nn.Upsample(scale_factor=2, mode="bilinear"), "Up_corners": lambda: nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), "Up_bicubic": lambda: nn.Upsample(scale_factor=1.5, mode="bicubic"), "Up_cubic_corners": up(size=(11, 5), mode="bicubic", align_corners=True), "Resize_size": up(size=(5, 12), mode="bilinear"),
        "Resize_nearest": up(size=(5, 12)), "Resize_exact": up(size=(5, 12), mode="nearest-exact"), "Resize_antialias": up(size=(5, 3), mode="bilinear", antialias=True), "Resize_cubic_antialias": up(size=(5, 3), mode="bicubic", antialias=True), "Resize_half": up(scale_factor=.5, mode="bilinear"), "Resize_area": up(size=(4, 4), mode="area"),
        "PixelShuffle": lambda: nn.PixelShuffle(2), "PixelUnshuffle": lambda: nn.PixelUnshuffle(2), "Grid": fn(lambda x: F.grid_sample(x, F.affine_grid(torch.tensor([[[.9, .2, .1], [-.1, 1.1, 0]]]), (1, 4, 8, 8), align_corners=False), align_corners=False)),
        "Unfold": lambda: nn.Unfold(3, padding=1, stride=2), "Fold": fn(lambda x: F.fold(F.unfold(x, 2, stride=2), (8, 8), 2, stride=2) * 2),
    }


def shapes():
    return {
        "Flatten": lambda: nn.Sequential(nn.Flatten(), nn.Linear(256, 7)), "Linear": lambda: nn.Linear(8, 5), "Linear_plain": lambda: nn.Linear(8, 5, bias=False), "View": fn(lambda x: x.view(x.size(0), -1)), "Permute": fn(lambda x: x.permute(0, 2, 3, 1).contiguous()), "Flip": fn(lambda x: x.flip(3)), "Flip_two": fn(lambda x: x.flip((2, 3))), "Roll": fn(lambda x: x.roll(3, 2)),
        "Split": fn(lambda x: torch.cat(x.split((1, 3), 1)[::-1], 1)), "Chunk": fn(lambda x: x.chunk(3, 2)[2] * 2), "Stack": fn(lambda x: torch.stack([x, x * 2], 2)), "Unbind": fn(lambda x: x.unbind(1)[2]), "Strided": fn(lambda x: x[:, 1:, ::2, 1::3]), "Negative": fn(lambda x: x[:, -1, :-1, -3:]), "Select": fn(lambda x: x[:, [2, 0, 3]]), "Index": fn(lambda x: x[:, :, torch.tensor([0, 3]), torch.tensor([1, -1])]),
        "Expand": fn(lambda x: x[:, :1].expand(-1, 3, -1, -1) * 2), "Repeat": fn(lambda x: x.repeat(1, 2, 1, 2)), "Where": fn(lambda x: torch.where(x > 0, x * 2, x.sin())), "Masked": fn(lambda x: x.masked_fill(torch.ones(8, 8).triu(1).bool(), -4.).softmax(-1)), "Tril": fn(lambda x: x.tril()), "Cumsum": fn(lambda x: x.cumsum(2)), "Clamp": fn(lambda x: x.clamp(-.5, 1)), "Arithmetic": fn(lambda x: (x.abs() + 1).log() * x.exp() / (x ** 2 + 1).sqrt() - x.reciprocal() * .01),
        "Trigonometry": fn(lambda x: x.sin() + x.cos() * x.tanh() + x.atan() + x.erf()), "Rsqrt": fn(lambda x: (x * x + .5).rsqrt()), "Norms": fn(lambda x: torch.cat([x.norm(1, (2, 3)), x.norm(2, (2, 3)), x.logsumexp((2, 3)), x.sum((2, 3)), x.prod(3).sum(2)], 1)), "Minmax": fn(lambda x: torch.cat([x.amin(2), x.amax(3), torch.maximum(x[:, :, 0], x[:, :, 1])], 1)), "Topk": fn(lambda x: x.topk(3, -1)[0]), "Shuffle": Shuffle,
        "Einsum": fn(lambda x: torch.einsum("bchw,bdhw->bcd", x, x)), "Matmul": fn(lambda x: x @ x.transpose(2, 3)), "Bmm": fn(lambda x: torch.bmm(x[0], x[0].transpose(1, 2))), "Excite": Excite, "Attention": lambda: Attention(False), "Attention_fused": lambda: Attention(True), "Windows": Windows, "Tokens": Tokens, "Dropout": lambda: nn.Sequential(nn.Dropout(.5), nn.Identity(), nn.AlphaDropout()), "Half_weights": fn(lambda x, c: F.conv2d(x, c.weight.half().float(), c.bias), conv(4, 3, 3)),
        "Multihead": fn(lambda x, a: a(*[x.flatten(2)[:, :, :16]] * 3)[0], lambda: nn.MultiheadAttention(16, 2, batch_first=True)), "Encoder": fn(lambda x, e: e(x.flatten(2)[:, :, :16]), lambda: nn.TransformerEncoderLayer(16, 2, 8, batch_first=True)), "Interpolated_positions": fn(lambda x, c: x + F.interpolate(c.weight, (8, 8), mode="bicubic"), conv(4, 1, 4)), "Norm_mean": fn(lambda x: (x - torch.tensor([.4, .5, .3, .2])[:, None, None]) / torch.tensor([.2, .3, .2, .1])[:, None, None]),
    }


def modules():
    return activations() | convolutions() | pools() | norms() | resizes() | shapes()


def library():
    """Small members of families of timm and torchvision."""
    from timm.models import ConvNeXt, MlpMixer, SwinTransformer, VisionTransformer
    from timm.models.resnet import BasicBlock, ResNet
    from timm.models._efficientnet_blocks import InvertedResidual, SqueezeExcite
    from torchvision.models.shufflenetv2 import InvertedResidual as Unit

    def calibrated(make):
        def build():
            m = make()
            for n in m.modules():
                if isinstance(n, nn.BatchNorm2d):
                    with_statistics(n)
            for k, p in m.named_parameters():
                if p.abs().max() < 1e-3:  # a branch that is not seen
                    p.data.uniform_(-.5, .5)
            return m

        return build

    return {
        "Tiny_resnet": calibrated(lambda: ResNet(BasicBlock, (1, 1, 1, 1), channels=(4, 6, 8, 8), in_chans=4, num_classes=5, stem_width=4)),
        "Tiny_vit": lambda: VisionTransformer(img_size=8, patch_size=2, in_chans=4, num_classes=5, embed_dim=12, depth=2, num_heads=2),
        "Tiny_swin": lambda: SwinTransformer(img_size=8, patch_size=1, in_chans=4, num_classes=5, embed_dim=8, depths=(2, 2), num_heads=(2, 2), window_size=4),
        "Tiny_convnext": calibrated(lambda: ConvNeXt(in_chans=4, num_classes=5, patch_size=1, depths=(1, 1, 1, 1), dims=(4, 6, 6, 8))),
        "Tiny_mixer": calibrated(lambda: MlpMixer(img_size=8, patch_size=2, in_chans=4, num_classes=5, embed_dim=8, num_blocks=2)),
        "Block_mobilenet": calibrated(lambda: InvertedResidual(4, 4, 3, exp_ratio=3, act_layer=nn.Hardswish, se_layer=SqueezeExcite)),
        "Block_shufflenet": calibrated(lambda: nn.Sequential(Unit(4, 8, 2), Unit(8, 8, 1))),
    }
