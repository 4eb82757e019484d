"""The step in JAX, jitted: relative L2, pgd.

Each step is one call of a jitted function with a donated image buffer, or with --scan a
run's steps are one executable (lax.scan).
"""
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import serve
from jax_networks import NETWORKS, Ops, arrange, cifar

a = serve.flags()
weights = {k: jnp.asarray(v) for k, v in arrange(dict(np.load(a.weights))).items()}
if a.model in serve.DEPTHS:
    last = {"early": 1, "middle": 2, "late": 3}[a.stage]
    network, mean, std = functools.partial(cifar, depth=serve.DEPTHS[a.model], last_layer=last, late=a.stage == "late"), serve.MEAN, serve.STD
else:
    network, mean, std = NETWORKS[a.model]
ops = Ops(jax)


def activation(w, x):
    """The stage's activation of images [B,H,W,3], flattened to [B,n]."""
    return network(ops, w, (x - mean) / std).reshape(x.shape[0], -1)


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
