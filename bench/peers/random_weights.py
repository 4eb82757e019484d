"""Weights that both programs of a comparison make alike, where trained ones are not at hand."""
import numpy as np


def random_weights(shapes):
    """He-normal kernels; scales and variances about 1, the rest about 0. No zeros: some processors multiply those at less power."""
    rng, out = np.random.default_rng(1), {}
    for k, shape in shapes.items():
        w = rng.standard_normal(shape, np.float32)
        if len(shape) in (2, 4):
            w *= (2 / np.prod(shape[1:])) ** .5
        else:
            w *= .1
            if k.endswith(".running_var"):
                w = np.abs(w)
            if k.endswith((".weight", ".running_var")):
                w += 1
        out[k] = w.astype(np.float32)
    return out
