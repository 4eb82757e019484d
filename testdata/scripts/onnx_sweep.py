"""Packs a sweep of operators × attributes × opsets, with outputs by onnxruntime.

    python testdata/scripts/onnx_sweep.py

writes testdata/golden/onnx/sweep.tar.gz. onnx_sweep_cases.py lists the operators and
attributes. Each is tried at every definition that the operator had from opset 9 to 23, in a
model of the last opset that has this definition; where it had more than two, at the newest
and at another, in turn. What onnxruntime refuses is left out and
printed.
"""

import sys
import warnings
from collections import Counter

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper
from onnx_pack import Pack, constant, strip

FIRST, LAST = 9, 23
IR = {9: 4, 10: 5, 11: 6, 12: 7, 13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10, 23: 11}


class Data:
    """Float32 data of a shape: odd multiples of 1/128, or of 1/512 where there are many, from
    low to high. So none lies on a kink, and no two of a case are equal."""

    def __init__(self, *shape, low=-2, high=2):
        self.shape, self.low, self.high = shape, low, high

    def draw(self, rng, used):
        n = int(np.prod(self.shape))
        for grid in (128, 512, 2048):
            ticks = np.arange(int(self.low * grid) // 2 * 2 + 1, int(self.high * grid), 2)
            ticks = np.array([t for t in ticks if t * 2048 // grid not in used])
            if n <= len(ticks):
                break
        v = rng.choice(ticks, n, replace=False)
        used.update(int(t) * 2048 // grid for t in v)
        return np.asarray(v.reshape(self.shape) / grid, np.float32)


class Case:
    """One operator with its inputs (Data, an array for a constant, or None) and attributes."""

    def __init__(self, op, *inputs, since=FIRST, until=LAST, outs=1, tail=(), label="", **attributes):
        self.op, self.inputs, self.outs, self.tail, self.label = op, inputs, outs, tail, label
        self.since, self.until, self.attributes = max(since, FIRST), min(until, LAST), attributes

    def opsets(self):
        """The last opset of each definition of the operator."""
        starts = sorted({s.since_version for s in onnx.defs.get_all_schemas_with_history() if s.name == self.op and s.domain == ""})
        for i, v in enumerate(starts):
            last = starts[i + 1] - 1 if i + 1 < len(starts) else LAST
            opset = min(last, self.until)
            if opset >= max(v, self.since):
                yield opset

    def model(self, opset, rng):
        names, data, fixed, used = [], {}, {}, set()
        for i, x in enumerate(self.inputs):
            name = "" if x is None else f"x{i}"
            names.append(name)
            if isinstance(x, Data):
                data[name] = x.draw(rng, used)
            elif x is not None:
                fixed[name] = np.asarray(x)
        outs = [f"y{i}" for i in range(self.outs)]
        last = self.tail and [f"z{i}" for i in range(self.outs)] or outs
        nodes = [helper.make_node(self.op, names, last if self.tail else outs, name="node", **self.attributes)]
        for k, (op, attributes, *more) in enumerate(self.tail):
            extra = []
            for j, x in enumerate(more):
                fixed[f"t{k}_{j}"] = np.asarray(x)
                extra.append(f"t{k}_{j}")
            out = outs[0] if k + 1 == len(self.tail) else f"u{k}"
            nodes.append(helper.make_node(op, [last[0] if k == 0 else f"u{k - 1}", *extra], [out], name=f"tail{k}", **attributes))
        inputs = [helper.make_tensor_value_info(k, TensorProto.FLOAT, v.shape) for k, v in data.items()]
        graph = helper.make_graph(nodes, "g", inputs, [helper.make_empty_tensor_value_info(o) for o in outs])
        m = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=IR[opset])
        constant(m, fixed)
        return m, data


def compute(m, data):
    o = ort.SessionOptions()
    o.log_severity_level = 4
    o.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    o.intra_op_num_threads = 1
    s = ort.InferenceSession(m.SerializeToString(), o, providers=["CPUExecutionProvider"])
    return s.run(None, data)


KIND = {np.dtype(k): v for k, v in {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "bool": TensorProto.BOOL, "int32": TensorProto.INT32,
        "float16": TensorProto.FLOAT16, "float64": TensorProto.DOUBLE, "uint8": TensorProto.UINT8, "int8": TensorProto.INT8}.items()}


def main():
    warnings.simplefilter("ignore")
    from onnx_sweep_cases import cases

    pack, count, refused = Pack(), Counter(), []
    for i, c in enumerate(cases()):
        opsets = list(c.opsets())
        if len(opsets) > 2:
            opsets = [opsets[i % (len(opsets) - 1)], opsets[-1]]
        for opset in opsets:
            rng = np.random.default_rng([i, opset])
            m, data = c.model(opset, rng)
            count[c.op] += 1
            name = f"{c.op}/{count[c.op]:03}_{opset}" + (f"_{c.label}" if c.label else "")
            try:
                outs = compute(m, data)
            except Exception as e:
                refused.append(f"{name} {c.attributes}: {str(e).splitlines()[0][:160]}")
                continue
            del m.graph.output[:]
            for k, v in zip([f"y{j}" for j in range(c.outs)], outs):
                m.graph.output.append(helper.make_tensor_value_info(k, KIND[v.dtype], v.shape))
            strip(m)
            pack.add(name, m, {"in/" + k: v for k, v in data.items()} | {f"out/y{j}": v for j, v in enumerate(outs)})
    for r in refused:
        print("left out:", r)
    print(len(pack.files) // 2, "cases of", len(count), "operators;", len(refused), "left out")
    pack.write("testdata/golden/onnx/sweep.tar.gz" if len(sys.argv) < 2 else sys.argv[1])


if __name__ == "__main__":
    main()
