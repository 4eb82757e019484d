"""The step in JAX, jitted: CIFAR ResNet with option-A shortcuts (He et al. 2016), relative L2, pgd.

Each step is one call of a jitted function with a donated image buffer, or with --scan a
run's steps are one executable (lax.scan).
"""
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import serve

a = serve.flags()
blocks = (serve.DEPTHS[a.model] - 2) // 6
last_layer = {"early": 1, "middle": 2, "late": 3}[a.stage]
weights = {k: jnp.asarray(v.transpose(2, 3, 1, 0) if v.ndim == 4 else v) for k, v in np.load(a.weights).items()}


def conv(x, kernel, stride=1):
    return lax.conv_general_dilated(x, kernel, (stride, stride), [(1, 1), (1, 1)], dimension_numbers=("NHWC", "HWIO", "NHWC"))


def bn(w, x, p):
    scale = w[p + ".weight"] / jnp.sqrt(w[p + ".running_var"] + 1e-5)
    return x * scale + (w[p + ".bias"] - w[p + ".running_mean"] * scale)


def pass_relu(x):
    """ReLU whose gradient is the identity (Feather et al. 2023), for the tapped layer."""
    return x + lax.stop_gradient(jax.nn.relu(x) - x)


def activation(w, x):
    """The stage's activation of images [B,32,32,3], flattened to [B,n]."""
    x = jax.nn.relu(bn(w, conv((x - serve.MEAN) / serve.STD, w["conv1.weight"]), "bn1"))
    for layer in range(1, last_layer + 1):
        for b in range(blocks):
            p, stride = f"layer{layer}.{b}.", 2 if layer > 1 and b == 0 else 1
            y = jax.nn.relu(bn(w, conv(x, w[p + "conv1.weight"], stride), p + "bn1"))
            y = bn(w, conv(y, w[p + "conv2.weight"]), p + "bn2")
            if stride == 2:
                c = y.shape[3] // 4
                x = jnp.pad(x[:, ::2, ::2], ((0, 0), (0, 0), (0, 0), (c, c)))
            tapped = a.stage != "late" and layer == last_layer and b == blocks - 1
            x = (pass_relu if tapped else jax.nn.relu)(x + y)
    return x.mean((1, 2)) if a.stage == "late" else x.reshape(x.shape[0], -1)


def step(x, w, target, size):
    def loss(x):
        d = jnp.linalg.norm(activation(w, x) - target, axis=1) / jnp.linalg.norm(target, axis=1)
        return d.sum(), d

    (_, d), g = jax.value_and_grad(loss, has_aux=True)(x)
    g = g / (jnp.sqrt((g * g).sum((1, 2, 3), keepdims=True)) + 1e-10)
    return jnp.clip(x - size * g, 0, 1), d


target = jax.block_until_ready(jax.jit(activation)(weights, serve.references(a)))
one = jax.jit(step, donate_argnums=0)
many = jax.jit(lambda x, w, target, sizes: lax.scan(lambda x, s: step(x, w, target, s), x, sizes), donate_argnums=0)


def run(start, sizes):
    x = jnp.array(start)
    if a.scan:
        x, losses = many(x, weights, target, sizes)
    else:
        trace = []
        for size in sizes:
            x, d = one(x, weights, target, size)
            trace.append(d)
        losses = jnp.stack(trace)
    return np.asarray(x), np.asarray(losses)


serve.serve(a, run, f"jax {jax.__version__} on {jax.devices()[0].platform}")
