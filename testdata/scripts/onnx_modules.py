"""Packs torch modules, exported in the ways that users export, with outputs and image
gradients by torch.

    python testdata/scripts/onnx_modules.py [modules] [library]

writes testdata/golden/onnx/modules.tar.gz and library.tar.gz: modules of torch, and small
members of timm's and torchvision's families. onnx_module_list.py lists them. Each is
exported by torch's default exporter (fixed batch of one; for some, dynamic batch), and by the
TorchScript exporter at several opsets. What an exporter refuses is left out and printed, and so is what it
exports wrongly (onnxruntime finds something else than torch).
"""

import logging
import os
import sys
import tempfile
import warnings

import numpy as np
import onnx
import torch
from onnx_pack import Pack, strip
from onnx_sweep import Data, compute

SCRIPT = [9, 11, 13, 17]


def exports(k):
    """Yields (label, options) of each way to export module number k."""
    yield "dynamo", {}
    if k % 6 == 0:
        yield "dynamo_batch", {"dynamic_shapes": ({0: torch.export.Dim("batch", min=1)},)}
    for opset in SCRIPT:
        yield f"script{opset}", {"dynamo": False, "opset_version": opset, "input_names": ["x"], "output_names": ["y"], "dynamic_axes": {"x": {0: "batch"}}}


def export(m, x, options):
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "m.onnx")
        out = sys.stdout
        sys.stdout = open(os.devnull, "w")
        try:
            torch.onnx.export(m, (x,), path, **({"verbose": False} | options))
        finally:
            sys.stdout = out
        return onnx.load(path)


def differs(model, name, x, want):
    """Whether onnxruntime finds something else than torch. What it cannot run stays in."""
    try:
        got, = compute(model, {name: x})
    except Exception:
        return False
    return got.shape != want.shape or np.abs(got - want).max() > 1e-3 * np.abs(want).max()


def main():
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    torch.set_num_threads(1)
    import onnx_module_list

    for group in sys.argv[1:] or ["modules", "library"]:
        write(group, getattr(onnx_module_list, group)())


def write(group, modules):
    pack = Pack()
    for k, (name, make) in enumerate(modules.items()):
        torch.manual_seed(k)
        m = make().eval()
        for p in m.parameters():
            p.data = (p.data * 256).round() / 256  # which pack well
        rng = np.random.default_rng(k)
        x = torch.from_numpy(Data(1, 4, 8, 8).draw(rng, set())).requires_grad_()
        y = m(x)
        cot = torch.from_numpy((rng.integers(-64, 65, y.shape) / 32).astype(np.float32))
        y.backward(cot)
        right = {"out": y.detach().numpy(), "cot": cot.numpy(), "grad": x.grad.numpy()}
        for label, options in exports(k):
            try:
                model = export(m, x.detach(), options)
            except Exception as e:
                print(f"left out: {name} by {label}: {str(e).strip().splitlines()[-1][:120]}", flush=True)
                continue
            strip(model)
            g = model.graph
            i, o = g.input[0].name, g.output[0].name
            if differs(model, i, x.detach().numpy(), right["out"]):
                print(f"left out: {name} by {label}: the file computes something else than the module", flush=True)
                continue
            pack.add(f"{name}/{label}_{model.opset_import[0].version}", model, {f"in/{i}": x.detach().numpy(), f"out/{o}": right["out"], f"cot/{o}": right["cot"], f"grad/{i}": right["grad"]})
    print(len(modules), "modules,", len(pack.files) // 2, "cases")
    pack.write(f"testdata/golden/onnx/{group}.tar.gz")


if __name__ == "__main__":
    main()
