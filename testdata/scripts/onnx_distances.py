"""Writes an ONNX file of the distances between all pairs of a layer's channels, as torch.cdist
is exported: the distance of a channel to itself is 0, where the gradient of the root is NaN.

usage: onnx_distances.py cmd/metamers/testdata/distances.onnx

    PY -m pip install onnx==1.23.2
"""
import sys

import numpy as np
import onnx
from onnx import helper as h, numpy_helper as nh

arrays = {
    "w": (np.sin(np.arange(4 * 27)).reshape(4, 3, 3, 3) * .2).astype("f4"),
    "m": (np.cos(np.arange(16 * 5)).reshape(16, 5) * .5).astype("f4"),
    "half": np.float32(.5), "down": np.array([0, 4, 1]), "across": np.array([0, 1, 4]),
}
nodes = [
    h.make_node("Conv", ["x", "w"], ["c"], strides=[2, 2]),
    h.make_node("GlobalAveragePool", ["c"], ["p"]),
    h.make_node("Reshape", ["p", "down"], ["a"]),
    h.make_node("Reshape", ["p", "across"], ["b"]),
    h.make_node("Sub", ["a", "b"], ["d"]),
    h.make_node("Mul", ["d", "d"], ["q"]),
    h.make_node("Pow", ["q", "half"], ["s"]),
    h.make_node("Flatten", ["s"], ["f"]),
    h.make_node("MatMul", ["f", "m"], ["y"]),
]
graph = h.make_graph(nodes, "distances", [h.make_tensor_value_info("x", 1, ["N", 3, 16, 16])],
                     [h.make_tensor_value_info("y", 1, ["N", 5])], [nh.from_array(v, k) for k, v in arrays.items()])
onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 13)], ir_version=8), sys.argv[1])
