"""Writes the small ONNX files that the tests of this package read, with what
onnxruntime computes for them (outputs, and image gradients by PyTorch's autograd).

usage: small.py OUT_DIR
"""
import sys

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

rng = np.random.default_rng(3)
out = sys.argv[1]
SIZE = 9
x = rng.uniform(-1, 1, (2, 3, SIZE, SIZE)).astype(np.float32)


def weight(*shape):
    return rng.normal(0, .4, shape).astype(np.float32)


def write(name, nodes, inits, run, layers, opset=13):
    """run is the same net in PyTorch: tensors of each layer by node name, NCHW."""
    graph = helper.make_graph(
        nodes, name, [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, SIZE, SIZE])],
        [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, ["N", None])],
        [numpy_helper.from_array(v, k) for k, v in inits.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, f"{out}/{name}.onnx")
    t = torch.from_numpy(x).requires_grad_()
    got = run(t, {k: torch.from_numpy(np.array(v)) for k, v in inits.items()})
    probe = onnx.ModelProto.FromString(model.SerializeToString())
    for n in probe.graph.node:
        if n.name in layers and n.output[0] != nodes[-1].output[0]:
            probe.graph.output.append(helper.make_tensor_value_info(n.output[0], TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    values = dict(zip([o.name for o in session.get_outputs()], session.run(None, {"image": x})))
    save = {"images": x.transpose(0, 2, 3, 1).copy()}
    for n in nodes:
        if n.name not in layers:
            continue
        a = values[n.output[0]]
        np.testing.assert_allclose(a, got[n.name].detach().numpy(), rtol=1e-4, atol=1e-5)
        direction = rng.normal(0, 1, a.shape).astype(np.float32)
        before = layers[n.name]  # the fake ReLU: the gradient of its input
        g, = torch.autograd.grad((got[before or n.name] * torch.from_numpy(direction)).sum(), t, retain_graph=True)
        nhwc = lambda v: (v.transpose(0, 2, 3, 1) if v.ndim == 4 else v).copy()
        save[n.name + ".value"], save[n.name + ".direction"], save[n.name + ".gradient"] = nhwc(a), nhwc(direction), nhwc(g.numpy())
    save_file(save, f"{out}/{name}.safetensors")


node = helper.make_node
flat = lambda t: torch.flatten(t, 1)


def windows(name, op, run, **attrs):
    """One layer with a window, between a convolution and a flattening."""
    inits = {"k": weight(4, 3, 3, 3), "shape": np.array([0, -1], np.int64)}
    nodes = [node("Conv", ["image", "k"], ["c"], "conv", pads=[1, 1, 1, 1]),
             node(op, ["c"], ["p"], "pool", **attrs),
             node("Reshape", ["p", "shape"], ["y"], "flat")]

    def torch_net(t, w):
        c = F.conv2d(t, w["k"], padding=1)
        p = run(c)
        return {"pool": p, "flat": flat(p)}
    write(name, nodes, inits, torch_net, {"pool": "", "flat": ""})


def small():
    """Even kernels with padding, dilation, strides and groups; a kernel used
    twice; Identity and Dropout; a Relu to tap."""
    inits = {"k2": weight(6, 3, 2, 4), "b": weight(6), "k4": weight(6, 6, 4, 4), "g2": weight(6, 3, 2, 2), "fc": weight(5, 24),
             "shape": np.array([0, -1], np.int64), "ratio": np.array(.5, np.float32)}
    nodes = [node("Conv", ["image", "k2", "b"], ["c1"], "conv1", pads=[1, 0, 0, 2], dilations=[2, 1], kernel_shape=[2, 4]),
             node("Relu", ["c1"], ["r1"], "relu1"),
             node("Conv", ["r1", "k4"], ["c2"], "conv2", strides=[1, 1], pads=[2, 1, 1, 2]),
             node("Identity", ["c2"], ["i2"], "same"),
             node("Conv", ["i2", "k4"], ["c3"], "conv3", strides=[2, 2], pads=[1, 1, 1, 1], kernel_shape=[4, 4]),
             node("Dropout", ["c3", "ratio"], ["d3"], "drop"),
             node("Conv", ["d3", "g2"], ["c4"], "conv4", group=2, strides=[2, 2], pads=[0, 1, 1, 0]),
             node("Relu", ["c4"], ["r4"], "relu4"),
             node("Reshape", ["r4", "shape"], ["f"], "flat"),
             node("Gemm", ["f", "fc"], ["y"], "fc", transB=1)]

    def torch_net(t, w):
        v = {}
        v["conv1"] = F.conv2d(F.pad(t, (0, 2, 1, 0)), w["k2"], w["b"], dilation=(2, 1))
        v["relu1"] = v["conv1"].relu()
        v["conv2"] = F.conv2d(F.pad(v["relu1"], (1, 2, 2, 1)), w["k4"])
        v["conv3"] = F.conv2d(v["conv2"], w["k4"], stride=2, padding=1)
        v["conv4"] = F.conv2d(F.pad(v["conv3"], (1, 0, 0, 1)), w["g2"], stride=2, groups=2)
        v["relu4"] = v["conv4"].relu()
        v["flat"] = flat(v["relu4"])
        v["fc"] = v["flat"] @ w["fc"].T
        return v
    write("small", nodes, inits, torch_net, {"conv1": "", "relu1": "conv1", "conv2": "", "conv3": "", "conv4": "", "relu4": "conv4", "fc": ""})


def old():
    """Opset 9: settings of Slice, Clip and Pad as attributes, Softmax with an axis."""
    inits = {"k": weight(4, 3, 3, 3), "fc": weight(5, 100), "b": weight(5), "shape": np.array([0, -1], np.int64)}
    nodes = [node("Slice", ["image"], ["s"], "slice", starts=[1, 0], ends=[9, 2**31], axes=[2, 3]),
             node("Conv", ["s", "k"], ["c"], "conv"),
             node("Clip", ["c"], ["l"], "clip", min=-.25, max=.5),
             node("Pad", ["l"], ["p"], "pad", pads=[0, 0, 2, 0, 0, 0, 0, 1], value=.125, mode="constant"),
             node("MaxPool", ["p"], ["m"], "pool", kernel_shape=[4, 4]),
             node("Reshape", ["m", "shape"], ["f"], "flat"),
             node("Gemm", ["f", "fc", "b"], ["g"], "fc", transB=1),
             node("Softmax", ["g"], ["y"], "softmax", axis=1)]

    def torch_net(t, w):
        v = {"clip": F.conv2d(t[:, :, 1:], w["k"]).clamp(-.25, .5)}
        v["pad"] = F.pad(v["clip"], (0, 1, 2, 0), value=.125)
        v["softmax"] = (flat(F.max_pool2d(v["pad"], 4, 1)) @ w["fc"].T + w["b"]).softmax(1)
        return v
    write("old", nodes, inits, torch_net, {"clip": "", "pad": "", "softmax": ""}, opset=9)


small()
old()
for k, s, p in [(2, 2, 0), (3, 2, 1), (4, 2, 1)]:
    windows(f"max{k}{s}{p}", "MaxPool", lambda c: F.max_pool2d(c, k, s, p), kernel_shape=[k, k], pads=[p] * 4, strides=[s, s])
for k, s in [(2, 2), (3, 2), (2, 1)]:
    windows(f"mean{k}{s}", "AveragePool", lambda c: F.avg_pool2d(c, k, s), kernel_shape=[k, k], strides=[s, s], count_include_pad=1)
windows("global", "GlobalAveragePool", lambda c: c.mean((2, 3), keepdim=True))
