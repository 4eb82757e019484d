"""An independent PyTorch version of the paper's procedure, for comparison.

usage: pgd.py --weights DIR --cifar cifar-10-batches-bin [--out testdata/golden] [--only SET]
Writes pgd_start.safetensors and pgd_<set>.safetensors: losses20.<stage> [20,16], the
active model's loss before each of the first 20 steps, and final.<stage> [M,16], every
member's relative loss after the last step.

The procedure is chaotic. --shake E adds E·N(0,1) to the start, drawn with --shake-seed,
to see how far the final losses move; such runs and runs of other than 1000 steps or of
fewer than all stages print their means and write nothing. --first stops after 20 of
the steps and prints how far the losses have moved from those of the golden file.
"""
import argparse

import numpy as np
import torch
from safetensors.torch import load_file, save_file

import nets

a = argparse.ArgumentParser()
a.add_argument("--weights", required=True)
a.add_argument("--cifar", required=True)
a.add_argument("--out", default="testdata/golden")
a.add_argument("--only")
a.add_argument("--stages", default="early,middle,late")
a.add_argument("--steps", type=int, default=1000)
a.add_argument("--shake", type=float, default=0)
a.add_argument("--shake-seed", type=int, default=0)
a.add_argument("--first", action="store_true")
a = a.parse_args()
torch.set_num_threads(1)

N, EVERY, HALVINGS = 16, 10, 8
refs = nets.cifar_test(a.cifar)[0][:N]
start = np.random.default_rng(11).normal(.5, .05, (N, 32, 32, 3)).astype(np.float32).clip(0, 1)
golden = not a.shake and a.steps == 1000 and a.stages == "early,middle,late" and not a.first
if golden:
    save_file({"start": torch.from_numpy(start)}, f"{a.out}/pgd_start.safetensors")
SETS = {
    "resnet2b_resnet4b": ["resnet2b", "resnet4b"],
    "resnet20_resnet56": ["resnet20_cifar10", "resnet56_cifar10"],
    "resnet20": ["resnet20_cifar10"],
}
if a.only and a.only not in SETS:
    raise SystemExit(f"pgd.py: unknown set {a.only!r}, expected one of {', '.join(SETS)}")
for label, names in SETS.items():
    if a.only and a.only != label:
        continue
    members = [nets.load(n, a.weights) for n in names]
    out = {}
    for stage in a.stages.split(","):
        layers = [stages[stage] for _, stages in members]
        with torch.no_grad():
            targets = [net(refs)[l] for (net, _), l in zip(members, layers)]
        x = torch.from_numpy(start).permute(0, 3, 1, 2).contiguous()
        if a.shake:
            x = x + a.shake * torch.randn(x.shape, generator=torch.Generator().manual_seed(a.shake_seed))
        first = []
        for i in range(20 if a.first else a.steps):
            m = (i // EVERY) % len(members)
            x.requires_grad_()
            loss = nets.relative(members[m][0](x, layers[m])[layers[m]], targets[m])
            g, = torch.autograd.grad(loss.sum(), x)
            if i < 20:
                first.append(loss.detach())
            g = g / (g.flatten(1).norm(dim=1).view(-1, 1, 1, 1) + 1e-10)
            x = (x.detach() - 2.0 ** -(i * HALVINGS // a.steps) * g).clamp(0, 1)
        if a.first:
            was = load_file(f"{a.out}/pgd_{label}.safetensors")["losses20." + stage]
            now = torch.stack(first)
            one, mean = (now / was - 1).abs().amax(1), (now.mean(1) / was.mean(1) - 1).abs()
            for what, d in (("worst image", one), ("mean over images", mean)):
                late = (d > 1e-3).nonzero().flatten().tolist()
                print(label, stage, what, f"largest {d.max():.1g},", f"above 1e-3 from step {late[0]}" if late else "never above 1e-3", flush=True)
            continue
        with torch.no_grad():
            final = torch.stack([nets.relative(net(x)[l], t) for (net, _), l, t in zip(members, layers, targets)])
        out["losses20." + stage], out["final." + stage] = torch.stack(first), final
        print(label, stage, "mean relative loss", [f"{v:.5f}" for v in final.mean(1)], flush=True)
    if golden:
        save_file(out, f"{a.out}/pgd_{label}.safetensors")
