"""The networks in JAX, NHWC: CIFAR ResNets with option-A shortcuts (He et al. 2016), and at 224²
ResNet, VGG, ConvNeXt and ViT up to what the classifier reads, with timm's names of weights.

A network is a function of (ops, weights, images normalised). Weights are those that `arrange`
makes: kernels HWIO, matrices [in,out], batch norms as scale and shift."""
import functools

import numpy as np

IMAGENET = (np.float32([.485, .456, .406]), np.float32([.229, .224, .225]))
HALF = (np.float32([.5] * 3), np.float32([.5] * 3))


def arrange(w):
    out = {}
    for k, v in w.items():
        p, last = k.rsplit(".", 1) if "." in k else ("", k)
        if p + ".running_var" in w:
            if last == "weight":
                scale = v / np.sqrt(w[p + ".running_var"] + 1e-5)
                out |= {p + ".scale": scale, p + ".shift": w[p + ".bias"] - w[p + ".running_mean"] * scale}
        elif last != "num_batches_tracked":
            out[k] = v.transpose(2, 3, 1, 0) if v.ndim == 4 else v.T if v.ndim == 2 else v
    return out


class Ops:
    """JAX's operations at one precision. Softmax and the moments of a norm are in float32."""

    def __init__(self, jax, precision="float32"):
        self.jax, self.jnp, self.lax = jax, jax.numpy, jax.lax
        self.precision = jax.lax.Precision.HIGHEST if precision == "float32" else jax.lax.Precision.DEFAULT
        self.relu = jax.nn.relu
        self.gelu = functools.partial(jax.nn.gelu, approximate=False)
        self.matmul = functools.partial(jax.numpy.matmul, precision=self.precision)

    def conv(self, x, kernel, stride=1, pad=0):
        groups = x.shape[3] // kernel.shape[2]
        return self.lax.conv_general_dilated(x, kernel, (stride, stride), [(pad, pad)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC"),
                                             feature_group_count=groups, precision=self.precision)

    def linear(self, w, x, p):
        return self.matmul(x, w[p + ".weight"]) + w[p + ".bias"]

    def bn(self, w, x, p):
        return x * w[p + ".scale"] + w[p + ".shift"]

    def max_pool(self, x, k, stride, pad=0):
        return self.lax.reduce_window(x, -np.inf, self.lax.max, (1, k, k, 1), (1, stride, stride, 1), [(0, 0), (pad, pad), (pad, pad), (0, 0)])

    def concat_token(self, token, x):
        return self.jnp.concatenate([self.jnp.broadcast_to(token, (x.shape[0], 1, x.shape[2])), x], 1)

    def norm(self, w, x, p, eps=1e-6):
        y = x.astype(np.float32)
        y = y - y.mean(-1, keepdims=True)
        y = y * self.lax.rsqrt((y * y).mean(-1, keepdims=True) + eps)
        return (y * w[p + ".weight"].astype(np.float32) + w[p + ".bias"].astype(np.float32)).astype(x.dtype)

    def attention(self, qkv, heads):
        n, tokens, c = qkv.shape
        q, k, v = self.jnp.moveaxis(qkv.reshape(n, tokens, 3, heads, c // 3 // heads), 2, 0)
        s = self.jnp.einsum("nqhc,nkhc->nhqk", q, k, precision=self.precision)  # a float32 result would make its gradient a float32 product
        s = self.jax.nn.softmax(s.astype(np.float32) * q.shape[-1] ** -.5).astype(qkv.dtype)
        return self.jnp.einsum("nhqk,nkhc->nqhc", s, v, precision=self.precision).reshape(n, tokens, c // 3)


def resnet(ops, w, x, depths):
    x = ops.relu(ops.bn(w, ops.conv(x, w["conv1.weight"], 2, 3), "bn1"))
    x = ops.max_pool(x, 3, 2, 1)
    for layer, depth in enumerate(depths, 1):
        for b in range(depth):
            p, stride = f"layer{layer}.{b}.", 2 if layer > 1 and b == 0 else 1
            if p + "conv3.weight" in w:
                y = ops.relu(ops.bn(w, ops.conv(x, w[p + "conv1.weight"]), p + "bn1"))
                y = ops.relu(ops.bn(w, ops.conv(y, w[p + "conv2.weight"], stride, 1), p + "bn2"))
                y = ops.bn(w, ops.conv(y, w[p + "conv3.weight"]), p + "bn3")
            else:
                y = ops.relu(ops.bn(w, ops.conv(x, w[p + "conv1.weight"], stride, 1), p + "bn1"))
                y = ops.bn(w, ops.conv(y, w[p + "conv2.weight"], 1, 1), p + "bn2")
            if p + "downsample.0.weight" in w:
                x = ops.bn(w, ops.conv(x, w[p + "downsample.0.weight"], stride), p + "downsample.1")
            x = ops.relu(x + y)
    return x.astype(np.float32).mean((1, 2))


def vgg16(ops, w, x):
    i = 0
    for convs in (2, 2, 3, 3, 3):
        for _ in range(convs):
            x = ops.relu(ops.conv(x, w[f"features.{i}.weight"], 1, 1) + w[f"features.{i}.bias"])
            i += 2
        x = ops.max_pool(x, 2, 2)
        i += 1
    for fc in ("pre_logits.fc1", "pre_logits.fc2"):
        x = ops.relu(ops.conv(x, w[fc + ".weight"]) + w[fc + ".bias"])
    return x.astype(np.float32).mean((1, 2))


def convnext(ops, w, x, depths):
    x = ops.norm(w, ops.conv(x, w["stem.0.weight"], 4) + w["stem.0.bias"], "stem.1")
    for s, depth in enumerate(depths):
        p = f"stages.{s}."
        if s:
            x = ops.conv(ops.norm(w, x, p + "downsample.0"), w[p + "downsample.1.weight"], 2) + w[p + "downsample.1.bias"]
        for b in range(depth):
            q = f"{p}blocks.{b}."
            y = ops.norm(w, ops.conv(x, w[q + "conv_dw.weight"], 1, 3) + w[q + "conv_dw.bias"], q + "norm")
            x = x + w[q + "gamma"] * ops.linear(w, ops.gelu(ops.linear(w, y, q + "mlp.fc1")), q + "mlp.fc2")
    return ops.norm(w, x.astype(np.float32).mean((1, 2)), "head.norm")


def vit(ops, w, x, heads, patch=16):
    n, side, kernel = x.shape[0], x.shape[1] // patch, w["patch_embed.proj.weight"]
    x = x.reshape(n, side, patch, side, patch, 3).transpose(0, 1, 3, 2, 4, 5).reshape(n, side * side, -1)
    x = ops.matmul(x, kernel.reshape(-1, kernel.shape[3])) + w["patch_embed.proj.bias"]
    x = ops.concat_token(w["cls_token"], x) + w["pos_embed"]
    for i in range(12):
        p = f"blocks.{i}."
        x = x + ops.linear(w, ops.attention(ops.linear(w, ops.norm(w, x, p + "norm1"), p + "attn.qkv"), heads), p + "attn.proj")
        x = x + ops.linear(w, ops.gelu(ops.linear(w, ops.norm(w, x, p + "norm2"), p + "mlp.fc1")), p + "mlp.fc2")
    return ops.norm(w, x[:, 0], "norm").astype(np.float32)


def cifar(ops, w, x, depth, last_layer, late):
    def pass_relu(x):
        """ReLU whose gradient is the identity (Feather et al. 2023), for the tapped layer."""
        return x + ops.lax.stop_gradient(ops.relu(x) - x)

    blocks = (depth - 2) // 6
    x = ops.relu(ops.bn(w, ops.conv(x, w["conv1.weight"], 1, 1), "bn1"))
    for layer in range(1, last_layer + 1):
        for b in range(blocks):
            p, stride = f"layer{layer}.{b}.", 2 if layer > 1 and b == 0 else 1
            y = ops.relu(ops.bn(w, ops.conv(x, w[p + "conv1.weight"], stride, 1), p + "bn1"))
            y = ops.bn(w, ops.conv(y, w[p + "conv2.weight"], 1, 1), p + "bn2")
            if stride == 2:
                c = y.shape[3] // 4
                x = ops.jnp.pad(x[:, ::2, ::2], ((0, 0), (0, 0), (0, 0), (c, c)))
            tapped = not late and layer == last_layer and b == blocks - 1
            x = (pass_relu if tapped else ops.relu)(x + y)
    return x.mean((1, 2)) if late else x


NETWORKS = {  # at 224²: the network, mean and deviation of its pixels
    "resnet18": (functools.partial(resnet, depths=(2, 2, 2, 2)), *IMAGENET),
    "resnet50": (functools.partial(resnet, depths=(3, 4, 6, 3)), *IMAGENET),
    "vgg16": (vgg16, *IMAGENET),
    "convnext_tiny": (functools.partial(convnext, depths=(3, 3, 9, 3)), *IMAGENET),
    "vit_tiny_patch16_224": (functools.partial(vit, heads=3), *HALF),
    "vit_small_patch16_224": (functools.partial(vit, heads=6), *HALF),
    "vit_base_patch16_224": (functools.partial(vit, heads=12), *HALF),
}
