"""Independent versions of the optimisers lbfgs and fourier (metamerkit/synth), in NumPy
with float64 and numpy.fft, on the networks in PyTorch.

usage: fast.py --weights DIR [--golden testdata/golden] [--evaluations 8]
Writes golden/fast.safetensors: for each stage of {resnet20, resnet4b} and each optimiser
the inversion losses after (lbfgs: [E,2,B], of the best images so far) or before (fourier:
[E,B], of the active member) each evaluation, and the images at the end; and bounded
problems with their solutions by scipy's L-BFGS-B. The images are those of
golden/resnet20_cifar10.safetensors.
"""
import argparse

import numpy as np
import scipy.optimize
import torch
from safetensors.numpy import load_file, save_file

import nets

a = argparse.ArgumentParser()
a.add_argument("--weights", required=True)
a.add_argument("--golden", default="testdata/golden")
a.add_argument("--evaluations", type=int, default=8)
a = a.parse_args()
torch.set_num_threads(1)


def smooth(g):
    """Divides the 2-D spectrum of [H,W,C] by max(periods across the image, 1)."""
    n = g.shape[0]
    f = np.fft.fftfreq(n) * n
    k = np.maximum(np.hypot(f[:, None], f[None, :]), 1)
    return np.fft.ifft2(np.fft.fft2(g, axes=(0, 1)) / k[:, :, None], axes=(0, 1)).real


def bends(s, y):
    return (s * y).sum() > 1e-8 * np.linalg.norm(s) * np.linalg.norm(y)


def lbfgs(f, x, evaluations, cap=5.0, memory=10):
    """Minimises f: x → (value, gradient, anything) in [0,1] and yields x and the last
    of f at the best x so far, after each evaluation."""
    pairs, begun, trial, fails, share, way = [], False, x, 0, 1.0, None
    for _ in range(evaluations):
        v, g, seen = f(trial)
        ok = not begun or v <= value + 1e-4 * min(((trial - x) * grad).sum(), 0)
        if ok:
            if begun and bends(trial - x, g - grad):
                pairs = [(trial - x, g - grad)] + pairs[:memory - 1]
            x, value, grad, shown, begun, fails, share = trial, v, g, seen, True, 0, 1.0
        else:
            fails, share = fails + 1, share / 2
            if fails == 8:
                pairs, share = [], 1.0
        if ok or fails == 8:
            free = ~((x <= 0) & (grad > 0) | (x >= 1) & (grad < 0))
            q = down = grad * free
            use = [(s * free, y * free) for s, y in pairs]
            use = [(s, y) for s, y in use if bends(s, y)]
            weights = []
            for s, y in use:
                weights.append((s * q).sum() / (s * y).sum())
                q = q - weights[-1] * y
            way = smooth(q) * free
            if use:
                s, y = use[0]
                way = way * (s * y).sum() / (y * (smooth(y) * free)).sum()
                for (s, y), w in reversed(list(zip(use, weights))):
                    way = way + s * (w - (y * way).sum() / (s * y).sum())
            else:
                way = way / np.linalg.norm(way)
            way = -way * min(1, cap / np.linalg.norm(way))
        trial = np.clip(x + share * way, 0, 1)
        yield x, shown


def objective(z, t, relu):
    """One-sided squared relative residual, and the relative L2 loss."""
    d = torch.where(t > 0, z - t, z.clamp(min=0)) if relu else z - t
    return (d / t.norm()).square().sum(), ((z.clamp(min=0) if relu else z) - t).norm() / t.norm()


class BeforeReLU:
    """Keeps what went into the ReLU that nets.py calls by name."""
    def __enter__(self):
        self.plain, self.z = nets.relu, {}
        def relu(x, name, fake):
            if isinstance(name, str):
                self.z[name] = x
            return self.plain(x, name, fake)
        nets.relu = relu
        return self
    def __exit__(self, *_):
        nets.relu = self.plain


def member(name):
    net, stages = nets.load(name, a.weights)
    def evaluate(x, stage, t):
        """value, gradient, loss of one image [H,W,C] in float32"""
        layer = stages[stage]
        p = torch.from_numpy(x.astype(np.float32)).permute(2, 0, 1)[None].requires_grad_()
        with BeforeReLU() as b:
            act = net(p)[layer]
        z = b.z.get(layer)
        value, loss = objective(act if z is None else z, t, z is not None)
        g, = torch.autograd.grad(value, p)
        return value.item(), g[0].permute(1, 2, 0).double().numpy(), loss.item()
    def target(x, stage):
        with torch.no_grad():
            return net(torch.from_numpy(x).permute(2, 0, 1)[None])[stages[stage]]
    return evaluate, target


out = {}
given = load_file(f"{a.golden}/resnet20_cifar10.safetensors")
members = [member("resnet20_cifar10"), member("resnet4b")]
for stage in ("middle", "late"):
    traces, ends, first, firstends = [], [], [], []
    for ref, start in zip(given["images"], given["start"]):
        t = [target(ref, stage) for _, target in members]
        def mean(x):
            parts = [e(x, stage, u) for (e, _), u in zip(members, t)]
            return np.mean([p[0] for p in parts]), np.mean([p[1] for p in parts], 0), [p[2] for p in parts]
        trace = []
        for x, losses in lbfgs(mean, start.astype(np.float64), a.evaluations):
            trace.append(losses)
        traces.append(trace)
        ends.append(x)
        x, v, trace = start.astype(np.float64), 0, []
        for i in range(a.evaluations):
            e, _ = members[i % 2]
            _, g, loss = e(x, stage, t[i % 2])
            trace.append(loss)
            u = smooth(g)
            v = .9 * v + .1 * u / np.linalg.norm(u)
            step = 2 * .5 * (1 + np.cos(np.pi * i / a.evaluations))
            x = np.clip(x - step * v, 0, 1)
        first.append(trace)
        firstends.append(x)
    out["lbfgs.losses." + stage] = np.transpose(traces, (1, 2, 0))
    out["lbfgs.images." + stage] = np.stack(ends)
    out["fourier.losses." + stage] = np.transpose(first)
    out["fourier.images." + stage] = np.stack(firstends)
    print(stage, "lbfgs", np.mean(out["lbfgs.losses." + stage][-1], -1), "fourier", np.mean(out["fourier.losses." + stage][-2:], -1))

rng = np.random.default_rng(5)
for label, condition in (("easy", 1e1), ("hard", 1e3)):
    n = 48  # an image of 4²
    q, _ = np.linalg.qr(rng.normal(size=(n, n)))
    h = (q * np.geomspace(1, condition, n)) @ q.T
    centre = rng.uniform(-.5, 1.5, (2, n))
    sol = [scipy.optimize.minimize(lambda x: (.5 * (x - c) @ h @ (x - c), h @ (x - c)), np.full(n, .5), jac=True, method="L-BFGS-B",
                                   bounds=[(0, 1)] * n, options=dict(maxiter=10000, maxfun=100000, ftol=1e-15, gtol=1e-10)).x for c in centre]
    out |= {f"quadratic.{label}.h": h, f"quadratic.{label}.centre": centre, f"quadratic.{label}.solution": np.stack(sol)}
    print(label, "at a bound:", np.mean([(s <= 0) | (s >= 1) for s in sol]))
save_file({k: np.ascontiguousarray(v, dtype=np.float32) for k, v in out.items()}, f"{a.golden}/fast.safetensors")
