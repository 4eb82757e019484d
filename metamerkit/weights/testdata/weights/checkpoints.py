"""Makes checkpoints as training code writes them, and checkpoints.json with what is in them.

    OMP_NUM_THREADS=1 python checkpoints.py

Needs torch and dill (made with torch 2.11.0, dill 0.4.1). The layouts are those of MadryLab/robustness
(train.py: torch.save(..., pickle_module=dill)), timm (utils/checkpoint_saver.py) and Lightning.
"""
import argparse
import json
import pathlib

import dill
import torch

here = pathlib.Path(__file__).parent


def weights(seed):
    g = torch.Generator().manual_seed(seed)
    return {"conv.weight": torch.randn(2, 3, 1, 1, generator=g), "conv.bias": torch.randn(2, generator=g)}


def main():
    plain, ema = weights(1), weights(2)
    net = torch.nn.Sequential(torch.nn.Linear(2, 2))
    opt = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)
    net(torch.ones(1, 2)).sum().backward()
    opt.step()
    schedule = torch.optim.lr_scheduler.StepLR(opt, 50)
    args = argparse.Namespace(model="resnet50", opt="sgd", lr=0.1)
    wrapped = {f"module.{where}.{k}": v for where in ("model", "attacker.model") for k, v in plain.items()}
    for where in ("normalizer", "attacker.normalize"):
        wrapped |= {f"module.{where}.new_mean": torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)}
        wrapped |= {f"module.{where}.new_std": torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)}
    files = {
        "madry.pt": ({"model": wrapped, "optimizer": opt.state_dict(), "schedule": schedule.state_dict(), "epoch": 3, "args": args}, dill),
        "timm.pth.tar": ({"epoch": 3, "arch": "resnet50", "state_dict": plain, "state_dict_ema": ema, "args": args}, None),
        "lightning.ckpt": ({"epoch": 1, "hyper_parameters": args, "state_dict": {f"model.{k}": v for k, v in plain.items()}}, None),
    }
    for name, (what, pickler) in files.items():
        torch.save(what, here / name, **({"pickle_module": pickler} if pickler else {}))
    torch.save({"model": plain | {"odd": args}}, here / "inside.pt")
    # Entries of other names, nested, and of types that are not read.
    averaged = torch.optim.swa_utils.AveragedModel(torch.nn.Linear(2, 2))
    torch.save({"net": plain, "acc": 90.1, "epoch": 3}, here / "net.pt")
    torch.save({"last": {"weights": plain, "step": 7}, "optimizer": opt.state_dict(), "losses": [0.5] * 5000}, here / "last.pt")
    torch.save({"student": plain, "teacher": ema}, here / "two.pt")
    torch.save({"state_dict": plain, "scale": torch.ones(3).to(torch.float8_e4m3fn)}, here / "float8.pt")
    torch.save({"state_dict": plain, "tags": {"a", "b"}, "fs": frozenset([1, 2]), "raw": bytearray(9000), "big": 10**80, "text": "x" * 9000}, here / "protocol5.pt", pickle_protocol=5)
    torch.save(averaged.state_dict(), here / "averaged.pt")
    expected = {k: {n: v.flatten().tolist() for n, v in s.items()} for k, s in {"plain": plain, "ema": ema}.items()}
    (here / "checkpoints.json").write_text(json.dumps(expected, indent=1))


main()
