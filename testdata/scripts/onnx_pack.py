"""Packs ONNX test cases into one small file, for the scripts onnx_*.py.

A case is NAME.onnx, a model whose graph inputs are all float32 data, and NAME.pb, a
GraphProto whose initializers are the tensors of the case: "in/X" and "out/Y" for inputs
and outputs, and where there are gradients "cot/Y", the cotangents of the outputs, and
"grad/X", the gradients of the inputs. The file is a tar archive, compressed by gzip.
"""

import gzip
import io
import tarfile

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper


def constant(model, values):
    """Turns the graph inputs named in values into initializers."""
    g = model.graph
    kept = [i for i in g.input if i.name not in values]
    del g.input[:]
    g.input.extend(kept)
    g.initializer.extend(numpy_helper.from_array(np.asarray(v), k) for k, v in values.items())


def round_off(a, bits=16):
    """Rounds float32 values to so many bits of mantissa, so that they pack well."""
    if a.dtype != np.float32:
        return a
    drop = np.uint32(24 - bits)
    i = a.view(np.uint32)
    ok = np.isfinite(a)
    out = ((i + (np.uint32(1) << (drop - np.uint32(1)))) >> drop) << drop
    return np.where(ok, out, i).view(np.float32)


def strip(model):
    """Drops what only people read, and shapes that anybody can infer."""
    model.doc_string = model.producer_name = model.producer_version = ""
    del model.metadata_props[:]
    g = model.graph
    g.doc_string = ""
    del g.value_info[:]
    for n in g.node:
        n.doc_string = ""
        del n.metadata_props[:]
    for v in [*g.input, *g.output]:
        v.doc_string = ""
        del v.metadata_props[:]


class Pack:
    """Collects cases and writes them."""

    def __init__(self):
        self.files = {}

    def add(self, name, model, tensors):
        assert name + ".onnx" not in self.files, name
        for i in model.graph.input:
            assert i.type.tensor_type.elem_type == TensorProto.FLOAT, (name, i)
        self.files[name + ".onnx"] = model.SerializeToString(deterministic=True)
        self.attach(name, tensors)

    def attach(self, name, tensors):
        bag = onnx.GraphProto()
        for k, v in tensors.items():
            v = np.asarray(v)
            bag.initializer.append(numpy_helper.from_array(v if k.startswith("in/") else round_off(v), k))
        self.files[name + ".pb"] = bag.SerializeToString(deterministic=True)

    def write(self, path):
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as t:
            for name, data in self.files.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                t.addfile(info, io.BytesIO(data))
        with open(path, "wb") as f:
            f.write(gzip.compress(raw.getvalue(), 9, mtime=0))
        print(f"{path}: {len(self.files)} entries, {len(raw.getvalue())} bytes, packed {len(open(path, 'rb').read())}")
