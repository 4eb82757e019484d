"""Packs small networks that were imported wrongly or refused, with logits by onnxruntime and
slopes of the logits by onnx's reference evaluator.

    python testdata/scripts/onnx_cases.py FOLDER

reads FOLDER/*.onnx (../shared/cases/onnx) and writes testdata/golden/onnx/networks.tar.gz.
Images are [2,3,S,S]. "slope/K" are derivatives of the cotangents' product with the logits, of each
image along "direction/K", by central differences in float64. Models of more than LARGE
bytes are not packed: the test reads them from the folder.
"""

import pathlib
import sys
import warnings

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx_pack import Pack
from onnx_sweep import compute

LARGE = 100_000
STEP = 1e-6


def double(m):
    """The model in float64."""
    out = onnx.ModelProto()
    out.CopyFrom(m)

    def convert(t):
        if t.data_type == TensorProto.FLOAT:
            t.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(t).astype(np.float64), t.name))

    for t in out.graph.initializer:
        if t.name not in scales(m):
            convert(t)
    for n in out.graph.node:
        for a in n.attribute:
            if a.HasField("t") and not set(n.output) & scales(m):
                convert(a.t)
            if n.op_type == "Cast" and a.name == "to" and a.i == TensorProto.FLOAT:
                a.i = TensorProto.DOUBLE
    for v in [*out.graph.input, *out.graph.output]:
        v.type.tensor_type.elem_type = TensorProto.DOUBLE
    del out.graph.value_info[:]
    return out


def scales(m):
    """The tensors that are scales or regions of a Resize, which stay as they are."""
    return {i for n in m.graph.node if n.op_type in ("Resize", "Upsample") for i in n.input[1:]}


def main():
    warnings.simplefilter("ignore")
    pack = Pack()
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.onnx")):
        m = onnx.load(path)
        g = m.graph
        given = {t.name for t in g.initializer}
        name, = [i.name for i in g.input if i.name not in given]
        size = 32
        rng = np.random.default_rng(len(path.name))
        x = ((rng.integers(0, 256, (2, 3, size, size)) / 256).astype(np.float32))
        fixed = g.input[0].type.tensor_type.shape.dim[0].dim_value
        step = fixed or 2
        y = np.concatenate([compute(m, {name: x[i:i + step]})[0] for i in range(0, 2, step)])
        cot = (rng.integers(-64, 65, y.shape) / 32).astype(np.float32)
        tensors = {"in/image": x, "out/logits": y, "cot/logits": cot}
        e = ReferenceEvaluator(double(m))

        def run(v):
            return np.concatenate([e.run(None, {name: v[i:i + step]})[0] for i in range(0, 2, step)])

        x64 = x.astype(np.float64)
        off = np.abs(run(x64) - y).max() / np.abs(y).max()
        for k in range(4):
            d = rng.choice([-1., 1.], x.shape)
            slope = ((run(x64 + STEP * d) - run(x64 - STEP * d)) * cot).reshape(2, -1).sum(1) / (2 * STEP)
            tensors[f"direction/{k}"] = d.astype(np.int8)
            tensors[f"slope/{k}"] = slope.astype(np.float32)
        print(f"{path.stem}: {y.shape}, the evaluators differ by {off:.1e}, slopes {slope}")
        assert off < 1e-5, path
        data = path.read_bytes()
        if len(data) <= LARGE:
            pack.files[path.name] = data
        pack.attach(path.stem, tensors)
    pack.write("testdata/golden/onnx/networks.tar.gz")


if __name__ == "__main__":
    main()
