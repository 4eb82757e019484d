"""Makes the small weight files of this folder and expected.json; with --real DIR
also prints real.json: tensor counts, shapes and sums of the files in DIR.

    python make.py [--real ../../../../../shared/data/weights]

Needs torch and safetensors (made with torch 2.11, safetensors 0.7).
"""
import argparse
import collections
import hashlib
import json
import pathlib

import numpy as np
import safetensors.torch
import torch

here = pathlib.Path(__file__).parent


def tensors():
    g = torch.Generator().manual_seed(7)
    r = lambda *s: torch.randn(*s, generator=g)
    shared = r(6, 4)
    extreme = torch.tensor([0.0, -0.0, 1.0, -1.5, 65504.0, 6e-8, 6.1e-5, float("inf"), float("-inf")])
    return collections.OrderedDict(
        {
            "f32": r(3, 4),
            "f64": r(5).double(),
            "f16": extreme.half(),
            "bf16": torch.cat([r(4), extreme]).bfloat16(),
            "i64": torch.tensor([0, -1, 2**62, -(2**63)]),
            "i32": torch.tensor([[1, -2], [3, -(2**31)]], dtype=torch.int32),
            "i16": torch.tensor([1, -32768], dtype=torch.int16),
            "i8": torch.tensor([1, -128, 127], dtype=torch.int8),
            "u8": torch.tensor([0, 255], dtype=torch.uint8),
            "bool": torch.tensor([True, False, True]),
            "scalar": torch.tensor(4.25),
            "steps": torch.tensor(17),
            "empty": torch.zeros(0, 3),
            "transposed": r(3, 5).t(),
            "permuted": r(2, 3, 2, 2).permute(2, 3, 1, 0),
            "sliced": r(10, 4)[2:9:3, 1:3],
            "expanded": r(2, 1).expand(2, 3),
            "shared.whole": shared,
            "shared.rows": shared[2:4],
            "shared.column": shared[:, 1],
            "parameter": torch.nn.Parameter(r(2, 2)),
            "frozen": torch.nn.Parameter(r(2), requires_grad=False),
        }
    )


def values(t):
    flat = t.detach().contiguous().flatten()
    if t.dtype.is_floating_point:
        # As float32's hexadecimal bits: JSON has no infinities.
        return [format(b & 0xFFFFFFFF, "08x") for b in flat.float().view(torch.int32).tolist()]
    return [str(int(v)) for v in flat.tolist()]


def expect(state):
    return {
        k: {"shape": list(t.shape), "float": t.dtype.is_floating_point, "values": values(t)} for k, t in state.items()
    }


def relocate(path):
    """Changes the location of every storage from cpu to cuda:0."""
    data = path.read_bytes()
    old, new = b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0"
    assert data.count(old) == 1  # later ones refer to it by memo
    path.write_bytes(data.replace(old, new))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--real", type=pathlib.Path)
    a = p.parse_args()
    state = tensors()
    expected = {}

    def save(name, obj, want=state, **kw):
        torch.save(obj, here / name, **kw)
        expected[name] = expect(want)

    legacy = dict(_use_new_zipfile_serialization=False)
    save("zip.pth", state)
    save("legacy.th", state, **legacy)
    save("protocol4.pth", state, pickle_protocol=4)
    save("legacy4.th", state, pickle_protocol=4, **legacy)
    two = {k: state[k] for k in ("f32", "i64")}
    module = {"module." + k: v for k, v in two.items()}
    save("nested.pth", {"epoch": 3, "best": 0.5, "state_dict": module, "arch": "x", "done": True, "none": None}, module)
    save("model.th", {"model": two, "loss": [1.5, 2.5], "shape": (1, 2)}, two, **legacy)
    save("named_model.pth", {"model": "resnet", **two}, two)
    save("cuda.th", collections.OrderedDict(two), two, **legacy)
    relocate(here / "cuda.th")
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    with torch.no_grad():
        for t in net.state_dict().values():
            t.copy_(torch.arange(t.numel()).reshape(t.shape))
    save("module.pth", net.state_dict(), net.state_dict())  # has _metadata
    plain = {k: t.detach().contiguous().clone() for k, t in state.items()}
    safetensors.torch.save_file(plain, here / "plain.safetensors", metadata={"format": "pt", "note": "<&é"})
    expected["plain.safetensors"] = expect(plain)
    # A header of 640 bytes begins with the bytes of a pickle of protocol 2.
    body = safetensors.torch.save(two)
    n = int.from_bytes(body[:8], "little")
    (here / "header640.safetensors").write_bytes((640).to_bytes(8, "little") + body[8 : 8 + n].ljust(640) + body[8 + n :])
    safetensors.torch.load_file(here / "header640.safetensors")
    expected["header640.safetensors"] = expect(two)
    # What this package's writers must write as well: NumPy's members and safetensors'
    # header and elements (which it orders by type, then name).
    written = {
        "steps": torch.tensor([1, -2, 2**40]),
        "image": torch.arange(24, dtype=torch.float32).reshape(2, 3, 4) / 8 - 1,
        "loss": torch.tensor(-0.25),
        "none": torch.zeros(0, 3),
    }
    np.savez(here / "written.npz", **{k: v.numpy() for k, v in written.items()})
    safetensors.torch.save_file(written, here / "written.safetensors", metadata={"run": "<&é"})
    expected["written.safetensors"] = expect(written)
    # Files that must be refused, each with the text its error must contain.
    refused = {}

    def refuse(name, obj, text, **kw):
        torch.save(obj, here / name, **kw)
        refused[name] = text

    refuse("whole_module.pth", net, "torch.nn.modules.container.Sequential")
    torch.save({"a": torch.zeros(2, dtype=torch.complex64)}, here / "complex.pth")  # listed, not read
    refuse("tensor.pth", torch.zeros(2), "expected a state dict")
    refuse("list.th", [torch.zeros(2)], "expected a state dict", **legacy)
    refuse("no_tensors.pth", {"epoch": 3}, "no tensors")

    class Exec:
        def __reduce__(self):
            import os

            return os.system, ("echo executed",)

    torch.save({"a": torch.zeros(2), "b": Exec()}, here / "exec.pth")  # b is passed over
    torch.jit.script(torch.nn.Linear(2, 1)).save(here / "script.pt")
    refused["script.pt"] = "TorchScript"
    for path in here.glob("*.safetensors"):
        path.chmod(0o644)
    text = {"files": expected, "refused": refused}
    (here / "expected.json").write_text(json.dumps(text, indent=None, separators=(",", ":")) + "\n")
    if a.real:
        real(a.real)


def real(folder):
    """Per file: SHA-256, and per tensor the shape, the float64 sum and the sum of
    value × (position+1), which a wrong order would change."""
    out = {}
    for path in sorted([*folder.glob("*.th"), *folder.glob("*.pth"), *folder.glob("*.safetensors")]):
        if path.suffix == ".safetensors":
            state = safetensors.torch.load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
            state = state.get("state_dict", state)
        rows = {}
        for k, t in state.items():
            v = t.detach().contiguous().double().flatten()
            if t.is_floating_point():
                v = t.detach().contiguous().float().double().flatten()
            rows[k] = [list(t.shape), v.sum().item(), (v * torch.arange(1, v.numel() + 1, dtype=torch.float64)).sum().item()]
        out[path.name] = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "tensors": rows}
    (here / "real.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")


main()
