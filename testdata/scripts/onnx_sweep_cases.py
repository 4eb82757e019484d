"""Operators and attributes of the sweep (onnx_sweep.py)."""

import itertools

import numpy as np
from onnx_sweep import Case, Data

rng = np.random.default_rng(20)


def w(*shape):
    """Weights: multiples of 1/32, which pack well."""
    return (rng.integers(-32, 33, shape) / 32).astype(np.float32)


def pos(*shape):
    return (rng.integers(16, 65, shape) / 32).astype(np.float32)


def f(*v):
    return np.array(v, np.float32)


def i(*v):
    return np.array(v, np.int64)


def s(v, t=np.float32):
    return np.array(v, t)


def b(*v):
    return np.array(v, bool)


def grid(**axes):
    """All combinations of keyword values; None leaves a keyword out."""
    for values in itertools.product(*axes.values()):
        yield {k: v for k, v in zip(axes, values) if v is not None}


def convolutions():
    x = Data(1, 2, 5, 6)
    for k, pads, st, d in itertools.product([(1, 1), (2, 2), (3, 3), (3, 2)], [None, (1, 1, 1, 1), (0, 1, 2, 0), (1, 0, 1, 0)], [None, (2, 2), (1, 2)], [None, (2, 2)]):
        if d and (k != (3, 3) and k != (2, 2) or not pads and k == (3, 3)):
            continue
        a = {n: v for n, v in {"pads": pads, "strides": st, "dilations": d}.items() if v}
        yield Case("Conv", x, w(3, 2, *k), since=11 if st else 22, **a)
    for auto, k, st in itertools.product(["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"], [(3, 3), (2, 2), (4, 3)], [(1, 1), (2, 2), (3, 2)]):
        yield Case("Conv", x, w(2, 2, *k), f(.5, -.25), auto_pad=auto, strides=st, kernel_shape=k, since=11)
    for auto in ["SAME_UPPER", "SAME_LOWER"]:
        yield Case("Conv", x, w(2, 2, 3, 3), auto_pad=auto, dilations=(2, 1), since=11)
    for g, o in [(2, 2), (2, 4), (4, 4), (4, 8)]:
        for k in [(3, 3), (2, 2)]:
            yield Case("Conv", Data(1, 4, 5, 5), w(o, 4 // g, *k), w(o), group=g, pads=(1, 1, 1, 1), since=11)
            yield Case("Conv", Data(1, 4, 5, 5), w(o, 4 // g, *k), group=g, strides=(2, 2), since=11)
    yield Case("Conv", Data(1, 4, 6, 6), w(4, 1, 3, 3), group=4, dilations=(2, 2), pads=(2, 2, 2, 2), since=11)
    yield Case("Conv", Data(2, 2, 7), w(3, 2, 3), w(3), pads=(1, 1), strides=(2,))
    yield Case("Conv", Data(2, 2, 7), w(3, 2, 2), dilations=(2,))
    yield Case("Conv", Data(1, 2, 3, 4, 4), w(2, 2, 2, 3, 3), pads=(1, 1, 1, 0, 1, 1))
    x = Data(1, 2, 3, 4)
    for k, pads, st, extra in itertools.product([(3, 3), (2, 2), (1, 1), (4, 3)], [None, (1, 1, 1, 1), (0, 1, 1, 0)], [None, (2, 2), (1, 2)], [None, "output_padding"]):
        if k == (1, 1) and pads or extra and not st:
            continue
        a = {n: v for n, v in {"pads": pads, "strides": st, extra: extra and tuple(v - 1 for v in st or (1, 1))}.items() if n and v}
        yield Case("ConvTranspose", x, w(2, 3, *k), since=11, **a)
    for a in [dict(group=2), dict(dilations=(2, 2)), dict(dilations=(2, 1), strides=(2, 2)), dict(output_shape=(7, 9), strides=(2, 2)), dict(kernel_shape=(3, 3)), dict(output_shape=(8, 8), strides=(2, 2), output_padding=(1, 0)),
              dict(auto_pad="SAME_UPPER", strides=(2, 2)), dict(auto_pad="SAME_LOWER", strides=(2, 2)), dict(auto_pad="VALID", strides=(2, 1)), dict(auto_pad="SAME_UPPER", strides=(2, 2), output_shape=(5, 7))]:
        yield Case("ConvTranspose", x, w(2, 2, 3, 3), w(2 * a.get("group", 1)), **a)
    yield Case("ConvTranspose", Data(1, 2, 5), w(2, 3, 4), w(3), strides=(2,), pads=(1, 1))
    yield Case("ConvTranspose", Data(1, 2, 2, 3, 3), w(2, 2, 2, 2, 2), strides=(2, 2, 2))


def pools():
    x = Data(1, 2, 6, 7)
    for op in ["MaxPool", "AveragePool", "LpPool"]:
        for k, pads, st, ceil in itertools.product([(2, 2), (3, 3), (3, 2)], [None, (1, 1, 1, 1), (0, 1, 1, 0)], [None, (2, 2), (3, 1)], [None, 1]):
            if op == "LpPool" and (ceil or k == (3, 2)):
                continue
            a = {n: v for n, v in {"pads": pads, "strides": st, "ceil_mode": ceil}.items() if v}
            yield Case(op, x, kernel_shape=k, since=18 if op == "AveragePool" and ceil else 12, **a)
            if op == "AveragePool" and pads:
                yield Case(op, x, kernel_shape=k, count_include_pad=1, since=19 if ceil else 12, **a)
        for auto, k, st in itertools.product(["SAME_UPPER", "SAME_LOWER", "VALID"], [(2, 2), (3, 3)], [(1, 1), (2, 2)]):
            yield Case(op, x, kernel_shape=k, strides=st, auto_pad=auto)
        for a in [dict(dilations=(2, 2)), dict(dilations=(1, 2), pads=(1, 1, 1, 1)), dict(dilations=(2, 2), strides=(2, 2), ceil_mode=1)]:
            yield Case(op, x, kernel_shape=(2, 2), since={"MaxPool": 10, "AveragePool": 19, "LpPool": 18}[op], **a)
        yield Case(op, Data(1, 2, 9), kernel_shape=(3,), strides=(2,), pads=(1, 1))
        yield Case(op, Data(1, 1, 4, 4, 4), kernel_shape=(2, 2, 2), strides=(2, 2, 1))
    yield Case("LpPool", x, kernel_shape=(2, 2), p=1)
    yield Case("LpPool", x, kernel_shape=(3, 3), p=3, strides=(2, 2))
    yield Case("MaxPool", x, kernel_shape=(2, 2), strides=(2, 2), storage_order=1)
    yield Case("MaxPool", x, kernel_shape=(2, 2), strides=(2, 2), outs=2)
    for shape in [(2, 3, 4, 5), (2, 3, 6), (1, 2, 2, 3, 2)]:
        for op in ["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"]:
            yield Case(op, Data(*shape))
    yield Case("GlobalLpPool", Data(2, 3, 4, 5), p=1)


def reductions():
    since = {"ReduceSum": 13}
    for op in "ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceSumSquare".split():
        x = Data(2, 3, 4, low=.25 if op == "ReduceLogSum" else -2)
        new = since.get(op, 18)
        yield Case(op, x)
        yield Case(op, x, keepdims=0)
        for axes, keep in itertools.product([(1,), (-1,), (0, 2), (-2, -1), (0, 1, 2)], [None, 0]):
            a = {} if keep is None else {"keepdims": keep}
            yield Case(op, x, axes=axes, until=new - 1, **a)
            yield Case(op, x, i(*axes), since=new, **a)
        yield Case(op, x, noop_with_empty_axes=1, since=new)
        yield Case(op, x, i(), noop_with_empty_axes=1, since=new)
        yield Case(op, x, i(), since=new)
    for op in ["ArgMax", "ArgMin"]:
        for a in grid(axis=[None, 1, -1], keepdims=[None, 0]):
            yield Case(op, Data(2, 3, 4), **a)
        yield Case(op, Data(2, 3, 4), axis=1, select_last_index=1, since=12)
    for a in [dict(axis=1), dict(axis=-1), dict(axis=0, largest=0), dict(largest=0), dict(sorted=0, axis=-1)]:
        yield Case("TopK", Data(3, 5), i(2), outs=2, since=11, **a)
    yield Case("TopK", Data(3, 5), i(3), outs=2, until=10)
    for a in grid(exclusive=[None, 1], reverse=[None, 1]):
        yield Case("CumSum", Data(3, 4), s(1, np.int32), **a)
        yield Case("CumSum", Data(3, 4), s(-2, np.int64), **a)


def norms():
    x = Data(2, 4, 3, 3)
    for a in [{}, dict(epsilon=.01), dict(momentum=.5)]:
        yield Case("BatchNormalization", x, pos(4), w(4), w(4), pos(4), **a)
    yield Case("BatchNormalization", Data(3, 4), pos(4), w(4), w(4), pos(4))
    yield Case("BatchNormalization", Data(2, 4, 5), pos(4), w(4), w(4), pos(4))
    yield Case("BatchNormalization", x, pos(4), w(4), w(4), pos(4), training_mode=1, outs=3, since=14)
    for shape in [(2, 4, 3, 3), (2, 4, 6), (1, 2, 2, 3, 3)]:
        yield Case("InstanceNormalization", Data(*shape), pos(shape[1]), w(shape[1]))
        yield Case("InstanceNormalization", Data(*shape), pos(shape[1]), w(shape[1]), epsilon=.1)
    for g, e in itertools.product([1, 2, 4], [None, .1]):
        a = {} if e is None else {"epsilon": e}
        yield Case("GroupNormalization", x, pos(g), w(g), num_groups=g, since=18, until=20, **a)
        yield Case("GroupNormalization", x, pos(4), w(4), num_groups=g, since=21, **a)
    for axis in [None, -1, 1, 2, -3]:
        a = {} if axis is None else {"axis": axis}
        shape = (2, 3, 4)[(axis if axis is not None else -1):]
        shape = (2, 3, 4)[axis if axis is not None and axis >= 0 else 3 + (axis or -1):]
        yield Case("LayerNormalization", Data(2, 3, 4), pos(*shape), w(*shape), since=17, **a)
        yield Case("LayerNormalization", Data(2, 3, 4), pos(*shape), since=17, epsilon=.1, **a)
        yield Case("RMSNormalization", Data(2, 3, 4), pos(*shape), since=23, **a)
    yield Case("LayerNormalization", Data(2, 3, 4), pos(4), w(4), stash_type=1, since=17)
    yield Case("LayerNormalization", Data(2, 3, 4), pos(4), w(4), outs=3, since=17)
    for size in [1, 2, 3, 4, 5]:
        yield Case("LRN", Data(1, 6, 3, 3), size=size)
        yield Case("LRN", Data(1, 6, 3, 3), size=size, alpha=.5, beta=.6, bias=2.)
    yield Case("LRN", Data(1, 6, 5), size=3, alpha=.3)
    for a in grid(p=[None, 1, 2], axis=[None, 1, -1, 0]):
        yield Case("LpNormalization", Data(3, 4, 2), **a)
    for a in [{}, dict(axes=(1,)), dict(axes=(2, 3)), dict(axes=(0, 2, 3))]:
        yield Case("MeanVarianceNormalization", x, **a)


def elementwise():
    x = Data(3, 8)
    for op in "Abs Asinh Atan Ceil Cos Cosh Elu Erf Exp Floor HardSigmoid HardSwish LeakyRelu Mish Neg Relu Round Selu Sigmoid Sign Sin Sinh Softplus Softsign Tanh ThresholdedRelu Identity Celu Gelu Not IsNaN IsInf Shrink Dropout Reciprocal".split():
        if op != "Not":
            yield Case(op, x)
    yield Case("Tan", Data(3, 8, low=-1, high=1))
    for op in ["Asin", "Acos", "Atanh"]:
        yield Case(op, Data(3, 5, low=-1, high=1))
    yield Case("Acosh", Data(3, 8, low=1, high=4))
    for op in ["Log", "Sqrt"]:
        yield Case(op, Data(3, 8, low=0, high=4))
    for op in ["Elu", "Celu", "LeakyRelu", "ThresholdedRelu"]:
        for alpha in [.3, 1.5]:
            yield Case(op, x, alpha=alpha)
    yield Case("Selu", x, alpha=1.2, gamma=.9)
    yield Case("HardSigmoid", x, alpha=.5, beta=.3)
    yield Case("HardSigmoid", x, alpha=1 / 6, beta=.5)
    yield Case("Gelu", x, approximate="tanh")
    yield Case("Gelu", x, approximate="none")
    yield Case("Shrink", x, lambd=.7, bias=.3)
    yield Case("Swish", x, until=24)
    for slope in [w(8), w(1), w(3, 8), w(3, 1), s(.25)]:
        yield Case("PRelu", x, slope)
    yield Case("PRelu", Data(1, 3, 2, 2), w(3, 1, 1))
    yield Case("Dropout", x, ratio=.3, until=11)
    yield Case("Dropout", x, s(.3), since=12)
    yield Case("Dropout", x, s(.3), s(False, bool), since=12)
    yield Case("Dropout", x, s(.3), outs=2, since=12)
    for a in [dict(min=-.5, max=.75), dict(min=0.), dict(max=1.), {}]:
        yield Case("Clip", x, until=10, **a)
    for a in [(s(-.5), s(.75)), (s(0.),), (None, s(1.)), (), (s(1.), s(-1.))]:
        yield Case("Clip", x, *a, since=11)
    pairs = [((3, 4), (3, 4)), ((2, 3, 4), (4,)), ((2, 3, 4), (3, 1)), ((2, 1, 4), (3, 1)), ((4,), (2, 3, 4)), ((2, 3), ())]
    for op in "Add Sub Mul Div Pow Max Min Mod Sum Mean Greater Less GreaterOrEqual LessOrEqual Equal PRelu".split():
        low = .25 if op in ("Pow", "Div", "Mod") else -2
        for a, c in pairs:
            extra = {"fmod": 1} if op == "Mod" else {}
            if op == "PRelu" and len(a) < len(c):
                continue
            yield Case(op, Data(*a, low=low), Data(*c, low=low), **extra)
            if op not in ("Mean", "Sum"):
                yield Case(op, Data(*a, low=low), pos(*c), **extra)
    for op in ["Sum", "Mean", "Max", "Min"]:
        yield Case(op, x)
        yield Case(op, x, Data(8), w(3, 1))
    for e in [2., 3., .5, -1., 0., 1.]:
        yield Case("Pow", Data(3, 4, low=.25), s(e))
    for e in [2., 3.]:
        yield Case("Pow", x, s(e))
        yield Case("Pow", x, s(int(e), np.int64), since=12)
    yield Case("Add", i(1, 2, 3), i(4, 5, 6), label="int")
    yield Case("Div", i(7, -7, 9), i(2, 2, -4), label="int")
    yield Case("Mod", i(7, -7, 9), i(3, 3, -4), since=10, label="int")
    yield Case("Sub", i(7, -7, 9), i(3), label="int")
    yield Case("Mul", s([7, -7], np.int32), s([3], np.int32), label="int")
    yield Case("Where", b(True, False, True, False), Data(3, 4), Data(3, 4))
    yield Case("Where", b([True], [False], [True]), Data(3, 4), s(-1e9))
    yield Case("Where", b([True], [False]), s(0.), Data(4))
    for op in ["And", "Or", "Xor"]:
        yield Case(op, b(True, False, True, False), b([True], [False]))
    yield Case("Not", b(True, False))
    yield Case("Greater", x, s(0.), tail=[("Cast", {"to": 1})], label="cast")
    for op in ["Softmax", "LogSoftmax", "Hardmax"]:
        yield Case(op, Data(2, 3, 4))
        for axis in [0, 1, 2, -1, -2]:
            yield Case(op, Data(2, 3, 4), axis=axis)
        yield Case(op, Data(2, 6))
    for to in [6, 7, 9, 10, 11, 2, 3]:
        yield Case("Cast", Data(3, 8, low=0) if to == 2 else x, to=to, tail=[("Cast", {"to": 1})], label=f"to{to}")
    for v in [i(-1, 0, 3), b(True, False), s([1.7, -1.7, .5]), s([1.7, -1.7], np.float64), s([1.5], np.float16), s([200, 3], np.uint8)]:
        yield Case("Cast", v, to=1, label="const")
        yield Case("Cast", v, to=7, label="const")
    yield Case("CastLike", x, s([1], np.float32))
    yield Case("CastLike", i(1, 2), s([1], np.float32))


def products():
    for ta, tb, c in itertools.product([0, 1], [0, 1], [None, (4,), (2, 4), (2, 1), (1,), ()]):
        a = Data(3, 2) if ta else Data(2, 3)
        b = w(4, 3) if tb else w(3, 4)
        if c is None:
            yield Case("Gemm", a, b, transA=ta, transB=tb, since=11)
        else:
            yield Case("Gemm", a, b, w(*c), transA=ta, transB=tb, since=11)
    yield Case("Gemm", Data(2, 3), w(3, 4), w(4), alpha=.5, beta=.25)
    yield Case("Gemm", Data(2, 3), w(3, 4), w(4), alpha=2.)
    yield Case("Gemm", Data(2, 3), w(3, 4), w(4), beta=0.)
    yield Case("Gemm", Data(2, 3), Data(3, 4), Data(4))
    for a, b in [((2, 3), (3, 4)), ((2, 3), (3,)), ((3,), (3, 4)), ((3,), (3,)), ((2, 2, 3), (3, 4)), ((2, 2, 3), (2, 3, 4)), ((2, 1, 2, 3), (2, 3, 4)), ((2, 3), (2, 3, 4)), ((3,), (2, 3, 4)), ((2, 2, 3), (3,))]:
        yield Case("MatMul", Data(*a), w(*b))
        yield Case("MatMul", Data(*a), Data(*b))
        yield Case("MatMul", w(*a), Data(*b))
    for e, a, b in [("ij,jk->ik", (2, 3), (3, 4)), ("bij,bjk->bik", (2, 2, 3), (2, 3, 4)), ("bhid,bhjd->bhij", (1, 2, 3, 4), (1, 2, 3, 4)), ("bhij,bhjd->bhid", (1, 2, 3, 3), (1, 2, 3, 4)),
                    ("ij,jk", (2, 3), (3, 4)), ("i,j->ij", (3,), (4,)), ("bchw,hkc->bkhw", (1, 2, 3, 4), (3, 5, 2)), ("...ij,...jk->...ik", (2, 2, 3), (2, 3, 4)), ("bij,jk->bik", (2, 2, 3), (3, 4)), (" b i j , b j -> b i ", (2, 2, 3), (2, 3)), ("ijk,ilk->jl", (2, 3, 4), (2, 5, 4))]:
        yield Case("Einsum", Data(*a), Data(*b), equation=e)
        yield Case("Einsum", Data(*a), w(*b), equation=e)
    for e, a in [("ij->ji", (2, 3)), ("ij->i", (2, 3)), ("ii->i", (3, 3)), ("ii->", (3, 3)), ("bijc->bjic", (1, 2, 3, 2)), ("...ij->...ji", (2, 2, 3))]:
        yield Case("Einsum", Data(*a), equation=e)


def groups():
    from onnx_sweep_shapes import resizes, shapes

    return [convolutions, pools, reductions, norms, elementwise, products, shapes, resizes]


def cases():
    for g in groups():
        yield from g()
