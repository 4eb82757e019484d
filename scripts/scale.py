#!/usr/bin/env python3
"""The cost model of docs/scale.md: prints its tables from unit costs, each marked as
measured or assumed. Change them here, or with --tflops."""
import argparse

# Forward multiply-accumulates at 224², in 1e9 (published with the architectures).
GMAC = dict(resnet50=4.09, vgg16_bn=15.5, densenet161=7.73, convnext_tiny=4.46, convnext_base=15.36, vit_base=16.9, deit_base=16.9, swin_base=15.2)
# The sets of metamerkit/study/plans/full.yaml, by architecture.
CNN, MODERN, VIT = ["resnet50", "vgg16_bn", "densenet161"], ["convnext_tiny", "convnext_base"], ["vit_base", "deit_base", "swin_base"]
SETS = [CNN, CNN, MODERN, MODERN, VIT, ["vit_base", "vit_base", "swin_base"], ["resnet50", "vit_base"], ["resnet50", "vit_base"],
        ["resnet50"], ["resnet50"], ["vit_base"], ["vit_base"]]
OBSERVERS = 16
# Share of a late step (bench/README.md, resnet20 on the CPU: 7.0, 12.4, 14.9 ms). Measured there, assumed for others.
STAGES = [7.0 / 14.9, 12.4 / 14.9, 1.0]
PIXELS = 224 * 224 * 3

p = argparse.ArgumentParser(description=__doc__)
p.add_argument("--tflops", type=float, nargs="+", default=[10, 20, 40], help="sustained, of one GPU (assumed)")
p.add_argument("--start", type=float, default=60, help="seconds until a shard's first step: start, weights, compilation (assumed for a GPU)")
p.add_argument("--preview", type=int, default=130_000, help="bytes of a preview (assumed)")
p.add_argument("--line", type=int, default=36, help="bytes of a line of the loss trace")
a = p.parse_args()

# A gradient evaluation: forward, and backward to the image; weights get no gradient.
step = [4e9 * sum(GMAC[m] for m in s) / len(s) for s in SETS]  # switching: one member a step
late = sum(step) / len(step)
mean = late * sum(STAGES) / len(STAGES)
forward = 2e9 * sum(GMAC.values()) / len(GMAC)

def study(name, images, sets, steps, gpus, block):
    runs = sets * len(STAGES)
    evaluations = images * runs * steps
    synthesis, judging = evaluations * mean, 2 * images * runs * OBSERVERS * forward
    shards = runs * -(-images // block)
    per_image = PIXELS * 4 * 2 + a.preview + steps * a.line
    print(f"\n{name}: {images} images × {sets} sets × {len(STAGES)} stages × {steps} steps on {gpus} GPU(s), blocks of {block}")
    print(f"  gradient evaluations {evaluations:.3g}, {mean / 1e9:.1f} GFLOP each: {synthesis:.3g} FLOP; evaluation by {OBSERVERS} observers {judging:.3g} FLOP")
    for t in a.tflops:
        busy, start = (synthesis + judging) / t / 1e12, shards * a.start
        shard = synthesis / t / 1e12 / shards
        print(f"  at {t:g} TFLOP/s: {busy / 3600:.3g} GPU hours + {start / 3600:.2g} of starting ({100 * start / busy:.1f} %), {(busy + start) / gpus / 3600:.3g} hours; a shard {shard / 60:.3g} min")
    print(f"  shards {shards}; store {runs * images * per_image / 1e9:.3g} GB ({per_image / 1e6:.2f} MB an image), files about {runs * images:.2g}")
    checkpoint = block * PIXELS * 4
    print(f"  a checkpoint holds up to {checkpoint / 1e6:.0f} MB; all workers, every 30 s, on average {gpus * checkpoint / 2 / 30 / 1e6:.0f} MB/s, every 10 min {gpus * checkpoint / 2 / 600 / 1e6:.1f} MB/s")

resnet20 = 4 * 0.0408e9  # FLOP
print(f"measured, bench/README.md: resnet20, late, batch 8: 14.9 ms a step = {8 * resnet20 / 14.9e-3 / 1e9:.0f} GFLOP/s on two cores")
study("full.yaml, its 171 photographs", 171, len(SETS), 5000, 1, 171)
study("full.yaml, 400 images", 400, len(SETS), 5000, 1, 128)
study("ImageNet's validation set", 50_000, 20, 5000, 64, 512)
study("the same, small blocks", 50_000, 20, 5000, 64, 64)
N = 50_000
print(f"\none joined run of {N}: metamers and start {2 * N * PIXELS * 4 / 1e9:.0f} GB in memory, references {N * PIXELS * 4 / 1e9:.0f} GB; similarities of all pairs {N * N * 8 / 1e9:.0f} GB each for references and metamers")
