"""Packs the node tests that the onnx package (Apache-2.0) carries: all of the operators
that image networks use, at the opset that each test states.

    python testdata/scripts/onnx_nodes.py [--all FILE]

writes testdata/golden/onnx/nodes.tar.gz, without cases of more than LARGE bytes; --all
writes every case to FILE. The tensors are the package's own: nothing is computed here.
"""

import sys
import warnings

import numpy as np
import onnx
from onnx_pack import Pack, constant, strip

LARGE = 16_000

# What image networks are made of, and what exporters write around it.
OPERATORS = """Abs Acos Acosh Add AffineGrid And ArgMax ArgMin Asin Asinh Atan Atanh Attention AveragePool BatchNormalization
Cast CastLike Ceil Celu CenterCropPad Clip Col2Im Concat Constant ConstantOfShape Conv ConvTranspose Cos Cosh CumSum
DepthToSpace DequantizeLinear Div Dropout Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor Gather GatherElements GatherND
Gelu Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GridSample GroupNormalization HardSigmoid HardSwish Hardmax
Identity InstanceNormalization LRN LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax LpNormalization LpPool MatMul
Max MaxPool Mean MeanVarianceNormalization Min Mish Mod Mul Neg Not OneHot Or PRelu Pad Pow QuantizeLinear RMSNormalization
Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
ReduceSumSquare Relu Reshape Resize Round ScatterElements ScatterND Selu Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax
Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Swish Tan Tanh ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze
Upsample Where Xor IsInf IsNaN RotaryEmbedding""".split()

# What is left out, and why.
LEFT_OUT = {
    "sequences, strings and optional values": "OptionalGetElement OptionalHasElement SequenceInsert SequenceLength SequenceMap "
    "SplitToSequence RegexFullMatch StringConcat StringNormalizer StringSplit TfIdfVectorizer LabelEncoder",
    "training": "Adagrad Adam Momentum NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss gradient",
    "arithmetic of quantised integers": "ConvInteger DynamicQuantizeLinear MatMulInteger QLinearConv QLinearMatMul",
    "chance": "Bernoulli RandomUniformLike",
    "loops and branches": "If Loop Scan",
    "recurrent and language networks": "GRU LSTM RNN CausalConvWithState FlexAttention LinearAttention SwiGLU ReverseSequence TensorScatter",
    "sound": "BlackmanWindow DFT HammingWindow HannWindow MelWeightMatrix STFT",
    "detection, of which the output's size depends on values": "NonMaxSuppression NonZero Compress Unique RoiAlign DeformConv MaxUnpool",
    "trees and features": "ArrayFeatureExtractor Binarizer TreeEnsemble",
    "bits and files": "BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor ImageDecoder",
    "linear algebra": "Det CumProd",
    "superseded since opset 11": "Scatter",
}

# Operators of which only the first input depends on the image: the others are weights or
# settings, which a network has as initializers.
FIRST = set("""Conv ConvTranspose BatchNormalization InstanceNormalization GroupNormalization LayerNormalization
RMSNormalization Gemm PRelu Clip Pad Resize Upsample Range Dropout CastLike Shrink CumSum DequantizeLinear QuantizeLinear
ScatterElements ScatterND RotaryEmbedding""".split())
CONSTANT = {"OneHot", "Range", "Constant", "ConstantOfShape", "EyeLike"}


def operator(case, bases):
    """The operator that a case is about; expanded functions belong to their operator."""
    name = case.name.split("_expanded")[0]
    nodes = bases.get(name, case).model.graph.node
    return nodes[0].op_type if name in bases or len(nodes) == 1 else nodes[-1].op_type


def main():
    warnings.simplefilter("ignore")
    np.random.seed(0)
    from onnx.backend.test.case.node import collect_testcases

    everything = sys.argv[1:2] == ["--all"]
    cases = collect_testcases(None)
    bases = {c.name: c for c in cases if "_expanded" not in c.name and c.model.graph.node}
    known = {o: reason for reason, ops in LEFT_OUT.items() for o in ops.split()}
    pack, left, large, odd = Pack(), {}, 0, 0
    for c in cases:
        op = operator(c, bases)
        if op in known:
            left[known[op]] = left.get(known[op], 0) + 1
            continue
        assert op in OPERATORS, (c.name, op)
        assert len(c.data_sets) == 1, c.name
        inputs, outputs = c.data_sets[0]
        g = c.model.graph
        # Types that NumPy lacks come as TensorProtos, which stand for no activation.
        if not all(isinstance(a, (np.ndarray, np.generic)) and a.dtype.kind in "fiub" for a in [*inputs, *outputs]):
            odd += 1
            continue
        if not everything and sum(a.nbytes for a in [*inputs, *outputs]) > LARGE:
            large += 1
            continue
        inputs = dict(zip([i.name for i in g.input], [np.asarray(a) for a in inputs]))
        assert len(inputs) == len(g.input) and len(outputs) == len(g.output), c.name
        fixed = {}
        for i, (k, v) in enumerate(inputs.items()):
            if v.dtype != np.float32 or op in CONSTANT or op in FIRST and i > 0:
                fixed[k] = v
        model = onnx.ModelProto()
        model.CopyFrom(c.model)
        strip(model)
        constant(model, fixed)
        tensors = {"in/" + k: v for k, v in inputs.items() if k not in fixed}
        tensors |= {"out/" + o.name: v for o, v in zip(g.output, outputs)}
        pack.add(f"{op}/{c.name.removeprefix('test_')}", model, tensors)
    for reason, n in left.items():
        print(f"{n:4} left out: {reason}")
    print(f"{large:4} left out: larger than {LARGE} bytes\n{odd:4} left out: element types that NumPy lacks")
    pack.write(sys.argv[2] if everything else "testdata/golden/onnx/nodes.tar.gz")


if __name__ == "__main__":
    main()
