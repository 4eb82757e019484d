"""Operators of the sweep that move numbers, and Resize (onnx_sweep.py)."""

import itertools

import numpy as np
from onnx_sweep import Case, Data
from onnx_sweep_cases import f, grid, i, pos, s, w

BIG = 2**63 - 1


def slices():
    x = Data(4, 5, 6)
    for starts, ends, axes, steps in [((1,), (3,), None, None), ((0, 1), (2, 4), (0, 2), None), ((-3,), (-1,), (1,), None), ((0,), (BIG,), (1,), (2,)), ((-1,), (-BIG - 1,), (2,), (-1,)), ((-1,), (-BIG,), (-1,), (-2,)),
                                      ((4,), (0,), (1,), (-1,)), ((3, 0), (0, 6), (1, 2), (-2, 3)), ((-1, -1), (-BIG - 1, -BIG - 1), (1, 2), (-1, -1)), ((1,), (1000,), (0,), (1,)), ((-100,), (2,), (0,), (1,)), ((1, 0, 2), (3, 5, 6), None, None),
                                      ((100,), (-100,), (1,), (-1,)), ((0,), (-1,), (-2,), (3,))]:
        if steps is None:
            a = {"starts": starts, "ends": ends} | ({"axes": axes} if axes else {})
            yield Case("Slice", x, until=9, **a)
        inputs = [i(*starts), i(*ends)] + ([i(*axes)] if axes else []) + ([i(*steps)] if steps else [])
        yield Case("Slice", x, *inputs, since=10)
        yield Case("Slice", x, *[v.astype(np.int32).clip(-2**31, 2**31 - 1) if max(abs(int(n)) for n in v) < 2**31 else v for v in inputs], since=13) if all(abs(int(n)) < 2**31 for v in inputs for n in v) else Case("Slice", i(1, 2, 3, 4), i(-1), i(-BIG), i(0), i(-1), since=13)
    for axis in [None, 0, 1, -1]:
        a = {} if axis is None else {"axis": axis}
        size = [4, 4, 6, 6][[None, 0, 1, -1].index(axis)]
        for parts in [(1, size - 1), (2, size - 2), (1, 1, size - 2)]:
            yield Case("Split", Data(4, 6), outs=len(parts), split=parts, until=12, **a)
            yield Case("Split", Data(4, 6), i(*parts), outs=len(parts), since=13, **a)
        yield Case("Split", Data(4, 6), outs=2, until=17, **a)
        yield Case("Split", Data(4, 6), outs=2, num_outputs=2, since=18, **a)
    yield Case("Split", Data(2, 7), outs=3, num_outputs=3, axis=1, since=18)


def pads():
    x = Data(1, 2, 4, 5)
    modes = ["constant", "reflect", "edge"]
    for mode, p in itertools.product(modes, [(0, 0, 1, 2, 0, 0, 2, 1), (0, 0, 0, 1, 0, 0, 0, 0), (0, 1, 1, 0, 0, 1, 0, 3), (0, 0, -1, 1, 0, 0, 2, -2), (0, 0, 0, 0, 0, 0, 0, 0), (0, 0, -1, -1, 0, 0, -1, -2)]):
        if mode == "reflect" and p[1]:
            p = (0, 1, 1, 0, 0, 0, 0, 3)
        yield Case("Pad", x, mode=mode, pads=p, until=10)
        yield Case("Pad", x, i(*p), mode=mode, since=11)
    yield Case("Pad", x, pads=(0, 0, 1, 1, 0, 0, 1, 1), value=1.5, until=10)
    yield Case("Pad", x, i(0, 0, 1, 1, 0, 0, 1, 1), s(1.5), since=11)
    yield Case("Pad", x, i(0, 0, 1, 1, 0, 0, 1, 1), s(-np.inf), since=11)
    yield Case("Pad", x, i(0, 0, 1, 1, 0, 0, 1, 1), since=11)
    for axes, p in [((2, 3), (1, 2, 2, 1)), ((3,), (2, 1)), ((-1, -2), (1, 2, 3, 0)), ((3, 2), (1, 0, 2, 3))]:
        for mode in modes + ["wrap"]:
            yield Case("Pad", x, i(*p), None, i(*axes), mode=mode, since=19 if mode == "wrap" else 18)
        yield Case("Pad", x, i(*p), s(2.), i(*axes), since=18)
    yield Case("Pad", x, i(0, 0, 3, 2, 0, 0, 5, 1), mode="wrap", since=19)
    yield Case("Pad", Data(2, 5), i(0, 4, 0, 4), mode="reflect", since=11)


def shapes():
    yield from slices()
    yield from pads()
    x = Data(2, 3, 4)
    for shape in [(6, 4), (0, -1), (0, 0, -1), (-1,), (2, 1, 3, 4), (1, 24), (0, 2, 6), (2, 3, 2, 2)]:
        yield Case("Reshape", x, i(*shape))
    yield Case("Reshape", x, i(0, -1), allowzero=0, since=14)
    yield Case("Reshape", x, i(6, 4), allowzero=1, since=14)
    yield Case("Reshape", np.zeros((0, 3), np.float32), i(3, 0), allowzero=1, since=14, label="empty")
    for axis in [None, 0, 1, 2, 3, -1, -2]:
        yield Case("Flatten", x, since=11 if axis and axis < 0 else 9, **({} if axis is None else {"axis": axis}))
    for axes in [(0,), (0, 2), (-1,), (-2, 0), None]:
        y = Data(1, 3, 1) if axes != (-1,) else Data(3, 1)
        if axes is None:
            yield Case("Squeeze", y)
            continue
        neg = min(axes) < 0
        yield Case("Squeeze", y if axes != (-2, 0) else Data(1, 1, 3), axes=axes, since=11 if neg else 9, until=12) if axes != (-2, 0) else Case("Squeeze", Data(1, 1, 3), axes=axes, since=11, until=12)
        yield Case("Squeeze", y if axes != (-2, 0) else Data(1, 1, 3), i(*axes), since=13)
    for axes in [(0,), (2,), (-1,), (0, 3), (-1, 1), (3, 0)]:
        yield Case("Unsqueeze", Data(2, 3), axes=axes, since=11 if min(axes) < 0 else 9, until=12)
        yield Case("Unsqueeze", Data(2, 3), i(*axes), since=13)
    for perm in [None, (0, 2, 1), (2, 0, 1), (1, 2, 0), (0, 1, 2)]:
        yield Case("Transpose", x, **({"perm": perm} if perm else {}))
    for axis in [0, 1, -1, -3]:
        yield Case("Concat", Data(2, 3, 4), Data(2, 3, 4), axis=axis, since=11 if axis < 0 else 9)
        yield Case("Concat", Data(2, 3, 4), w(2, 3, 4), Data(2, 3, 4), axis=axis, since=11)
    for r in [(1, 2, 3), (2, 1, 1), (1, 1, 1)]:
        yield Case("Tile", x, i(*r))
    for shape in [(2, 3, 4), (5, 1, 3, 4), (3, 1), (1,), (1, 1)]:
        yield Case("Expand", Data(3, 1), i(*shape)) if shape != (2, 3, 4) else Case("Expand", Data(3, 1), i(*shape))
    for axis, idx in itertools.product([None, 0, 1, -1], [s(1, np.int64), i(0, 2), i(-1, 0), np.array([[0, 1], [-1, 1]]), s([1, 0], np.int32)]):
        yield Case("Gather", Data(3, 4, 3), idx, since=11 if idx.min() < 0 or (axis or 0) < 0 else 9, **({} if axis is None else {"axis": axis}))
    yield Case("Gather", w(5, 3), i(0, 4), label="const")
    for axis in [None, 0, 1, -1]:
        yield Case("GatherElements", Data(3, 3), np.array([[0, 2, 1], [-1, 0, -2]])[:2], **({} if axis is None else {"axis": axis}))
    yield Case("GatherND", x, np.array([[0, 1], [1, -1]]), since=11)
    yield Case("GatherND", x, np.array([[1], [0]]), since=11)
    yield Case("GatherND", x, np.array([[0, 1, 2], [1, 2, 3]]), since=11)
    yield Case("GatherND", x, np.array([[1], [0]]), batch_dims=1, since=12)
    for axis in [0, 1, -1]:
        yield Case("ScatterElements", Data(3, 3), np.array([[1, 0, 2], [0, 2, 1]]), Data(2, 3), axis=axis, since=11)
    for r in ["add", "mul", "max", "min"]:
        yield Case("ScatterElements", Data(3, 3), np.array([[1, 0, 2], [1, 2, 1]]), Data(2, 3), reduction=r, since=16 if r in ("add", "mul") else 18)
        yield Case("ScatterND", Data(4, 3), np.array([[1], [1]]), Data(2, 3), reduction=r, since=16 if r in ("add", "mul") else 18)
    yield Case("ScatterND", Data(4, 3), np.array([[1], [3]]), Data(2, 3))
    yield Case("ScatterND", Data(4, 3), np.array([[1, 2], [-1, 0]]), f(1, 2))
    for a in grid(start=[None, 1, -2], end=[None, 2, -1]):
        yield Case("Shape", x, since=15, **a)
    yield Case("Shape", x)
    yield Case("Size", x)
    for v in [None, f(1.5), i(3)]:
        from onnx import numpy_helper

        yield Case("ConstantOfShape", i(2, 3), **({} if v is None else {"value": numpy_helper.from_array(v)}))
    for a, b, c in [(0, 5, 1), (5, 0, -2), (1, 10, 3), (3, 3, 1)]:
        yield Case("Range", s(a, np.int64), s(b, np.int64), s(c, np.int64))
        yield Case("Range", s(a / 2), s(b / 2), s(c / 2))
    for a in grid(k=[None, 1, -1]):
        yield Case("EyeLike", np.zeros((3, 4), np.float32), **a)
    yield Case("EyeLike", np.zeros((3, 4), np.float32), dtype=7)
    for axis in [None, 0, 1]:
        yield Case("OneHot", i(0, 2, -1), s(4, np.int64), f(0, 1), **({} if axis is None else {"axis": axis}))
    for u, k in itertools.product([None, 0, 1], [None, 1, -1]):
        yield Case("Trilu", Data(2, 3, 4), *([] if k is None else [s(k, np.int64)]), **({} if u is None else {"upper": u}))
    for mode in [None, "DCR", "CRD"]:
        yield Case("DepthToSpace", Data(1, 8, 2, 3), blocksize=2, since=11 if mode else 9, **({"mode": mode} if mode else {}))
        yield Case("DepthToSpace", Data(1, 9, 1, 2), blocksize=3, since=11 if mode else 9, **({"mode": mode} if mode else {}))
    yield Case("SpaceToDepth", Data(1, 2, 4, 6), blocksize=2)
    for mode in ["nearest", "linear"]:
        for sc in [(1, 1, 2, 2), (1, 1, 2, 3), (1, 1, 1.5, 2)]:
            yield Case("Upsample", Data(1, 2, 3, 4), f(*sc), mode=mode, until=9)
    for m, p, a in itertools.product(["nearest", "bilinear", "bicubic"], ["zeros", "border", "reflection"], [0, 1]):
        g = (np.random.default_rng(7).random((1, 3, 4, 2)) * 2.6 - 1.3).astype(np.float32)
        yield Case("GridSample", Data(1, 2, 4, 5), g, mode=m, padding_mode=p, align_corners=a, since=16, until=19)
        m20 = {"nearest": "nearest", "bilinear": "linear", "bicubic": "cubic"}[m]
        yield Case("GridSample", Data(1, 2, 4, 5), g, mode=m20, padding_mode=p, align_corners=a, since=20)
    for shape, axes in [((2, 2), (2, 3)), ((6, 7), (2, 3)), ((3, 6), (-2, -1)), ((1, 2, 3, 7), None)]:
        yield Case("CenterCropPad", Data(1, 2, 4, 5), i(*shape), **({"axes": axes} if axes else {}))
    yield Case("Col2Im", Data(1, 4, 6), i(3, 4), i(2, 2))
    yield Case("Col2Im", Data(1, 4, 4), i(4, 4), i(2, 2), strides=(2, 2))
    yield Case("AffineGrid", Data(2, 2, 3), i(2, 3, 4, 5), align_corners=0)
    yield Case("AffineGrid", Data(2, 2, 3), i(2, 3, 4, 5), align_corners=1)
    yield from half()


def half():
    """Float16 weights, quantised weights, and arithmetic in float16."""
    h = lambda a: a.astype(np.float16)
    yield Case("Cast", h(w(3, 4)), to=1, label="half")
    for op, tail in [("Conv", ("Conv", {}, h(w(2, 2, 3, 3)))), ("MatMul", ("MatMul", {}, h(w(5, 2)))), ("Add", ("Add", {}, h(w(5)))), ("Relu", ("Relu", {})), ("Sigmoid", ("Sigmoid", {})), ("Softmax", ("Softmax", {"axis": -1}))]:
        yield Case("Cast", Data(1, 2, 4, 5), to=10, tail=[tail, ("Cast", {"to": 1})], label="half" + op, since=13)
    q = np.random.default_rng(3).integers(-100, 100, (4, 3))
    yield Case("DequantizeLinear", q.astype(np.int8), s(.05))
    yield Case("DequantizeLinear", q.astype(np.int8), s(.05), s(3, np.int8))
    yield Case("DequantizeLinear", (q + 100).astype(np.uint8), pos(3), s([100, 90, 80], np.uint8), axis=1, since=13)
    yield Case("QuantizeLinear", Data(3, 4), s(.05), s(3, np.int8), tail=[("DequantizeLinear", {}, s(.05), s(3, np.int8))], label="pair")
    yield Case("Attention", Data(1, 2, 3, 4), Data(1, 2, 3, 4), Data(1, 2, 3, 4))
    yield Case("Attention", Data(1, 2, 3, 4), Data(1, 2, 5, 4), Data(1, 2, 5, 6), scale=.3)
    yield Case("Attention", Data(1, 3, 8), Data(1, 3, 8), Data(1, 3, 8), q_num_heads=2, kv_num_heads=2)
    yield Case("Attention", Data(1, 2, 3, 4), Data(1, 2, 3, 4), Data(1, 2, 3, 4), is_causal=1)
    yield Case("Attention", Data(1, 2, 3, 4), Data(1, 2, 5, 4), Data(1, 2, 5, 4), w(3, 5))


def resizes():
    x = Data(1, 2, 4, 5)
    coords = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]
    sizes = [(1, 2, 8, 10), (1, 2, 6, 7), (1, 2, 2, 3), (1, 2, 3, 11)]
    scales = [(1, 1, 2, 2), (1, 1, 1.5, 1.7), (1, 1, .6, .8), (1, 1, .5, 2.5)]
    for sc, mode in itertools.product(scales, ["nearest", "linear"]):
        yield Case("Resize", x, f(*sc), mode=mode, until=10)
    no = f()
    for mode, c in itertools.product(["nearest", "linear", "cubic"], coords):
        for k, v in enumerate(scales + sizes):
            a = (no, f(*v)) if k < 4 else (no, no, i(*v))
            if mode == "nearest" and k % 2:
                continue
            yield Case("Resize", x, *a, mode=mode, coordinate_transformation_mode=c, since=11, until=19)
    for c, n in itertools.product(coords + ["half_pixel_symmetric"], ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]):
        for a in [(no, f(1, 1, 1.5, .6)), (no, no, i(1, 2, 7, 3))]:
            yield Case("Resize", x, *a, mode="nearest", coordinate_transformation_mode=c, nearest_mode=n, since=19 if "symm" in c else 12, until=19 if "symm" in c else 13)
    for a, e, sc in itertools.product([-.5, -.75], [0, 1], [(1, 1, 2, 1.5), (1, 1, .6, .8)]):
        yield Case("Resize", x, no, f(*sc), mode="cubic", cubic_coeff_a=a, exclude_outside=e, since=12)
        yield Case("Resize", x, no, f(*sc), mode="cubic", cubic_coeff_a=a, exclude_outside=e, coordinate_transformation_mode="align_corners", since=13, until=18)
    for mode, c, (k, v) in itertools.product(["linear", "cubic"], ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"], enumerate([(.6, .8), (2, 1.5), (3, 2), (5, 3)])):
        a = (None, f(1, 1, *v)) if k < 2 else (None, None, i(1, 2, *v))
        yield Case("Resize", x, *a, mode=mode, antialias=1, coordinate_transformation_mode=c, since=19 if "symm" in c else 18, until=19)
    yield Case("Resize", x, None, f(1, 1, .5, .5), mode="cubic", antialias=1, cubic_coeff_a=-.5, exclude_outside=1, since=18)
    for mode in ["nearest", "linear", "cubic"]:
        yield Case("Resize", x, None, f(2, .6), axes=(2, 3), mode=mode, since=18)
        yield Case("Resize", x, None, f(1.5, 2), axes=(3, 2), mode=mode, since=18)
        yield Case("Resize", x, None, None, i(7, 3), axes=(-2, -1), mode=mode, since=18)
        for policy in ["not_larger", "not_smaller", "stretch"]:
            yield Case("Resize", x, None, None, i(7, 6), axes=(2, 3), mode=mode, keep_aspect_ratio_policy=policy, since=18)
        yield Case("Resize", x, f(0, 0, .2, .1, 1, 1, .8, .9), None, i(1, 2, 3, 4), mode=mode, coordinate_transformation_mode="tf_crop_and_resize", since=11, until=18)
        yield Case("Resize", Data(1, 2, 6), None, f(1, 1, 1.5), mode=mode, since=13)
    yield Case("Resize", Data(1, 1, 2, 3, 2), None, f(1, 1, 2, 2, 1.5), mode="linear", since=13)
    yield Case("Resize", Data(1, 3, 4, 2), None, f(1, 2, 1.5, 1), mode="linear", since=13, label="nhwc")
    yield Case("Resize", Data(3, 4), None, f(1.5, 2), mode="linear", since=13)
