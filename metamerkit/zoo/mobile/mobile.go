// Package mobile has the blocks of mobile networks, in timm's notation: a stage is a
// list of strings such as ir_r2_k3_s2_e6_c24_se0.25, an inverted residual, twice, 3×3,
// stride 2 at the first, 6 times the channels inside, 24 channels out, and squeeze-and-
// excitation to a quarter. Families efficientnet and mobilenetv3 consist of them.
//
// Parameters are named as in timm's _efficientnet_blocks.py.
package mobile

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/stage"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/block"
)

// Block is one string of the notation.
type Block struct {
	Kind     string  // ds: depthwise separable, ir: inverted residual, cn: convolution
	Repeat   int     // r: blocks in a row; the first has the stride
	K        int     // k: rows and columns of the kernel
	Stride   int     // s
	Expand   float64 // e: channels inside, in channels of the input
	Channels int     // c: of the output
	SE       float64 // se: share of channels that squeeze-and-excitation keeps, 0 for none
	Act      string  // n: activation, re (ReLU), sw (SiLU) or hs (hard swish), "" for the network's
}

// Options are what all blocks of a network share.
type Options struct {
	Act               func(*Node) *Node
	Gate              func(*Node) *Node // of squeeze-and-excitation
	SEAct             func(*Node) *Node // between its two layers, nil for the block's own
	SEFromExpanded    bool              // its width is a share of the channels inside, rounded to 8, not of the input's
	Eps               float64           // of batch normalisation
	TF                bool              // TensorFlow's padding
	ChannelMultiplier float64           // of the channels, which are rounded to 8
	DepthMultiplier   float64           // of Repeat, rounded up
	FixFirstLast      bool              // DepthMultiplier leaves the first and the last stage
}

// Parse reads a network.
func Parse(arch [][]string) (stages [][]Block, err error) {
	if len(arch) == 0 || len(arch) > 100 {
		return nil, fmt.Errorf("config: %d stages, expected 1 to 100", len(arch))
	}
	for _, texts := range arch {
		var blocks []Block
		for _, text := range texts {
			b, err := parse(text)
			if err != nil {
				return nil, err
			}
			blocks = append(blocks, b)
		}
		stages = append(stages, blocks)
	}
	return stages, nil
}

func parse(text string) (Block, error) {
	fields := strings.Split(text, "_")
	b := Block{Kind: fields[0], Repeat: 1, Stride: 1, Expand: 1}
	bad := func(why string) (Block, error) {
		return b, fmt.Errorf("config: block %q: %s, expected such as ir_r2_k3_s2_e6_c24_se0.25_nre", text, why)
	}
	for _, f := range fields[1:] {
		key := strings.TrimRight(f, "0123456789.")
		if strings.HasPrefix(f, "n") {
			if b.Act = f[1:]; b.Act != "re" && b.Act != "sw" && b.Act != "hs" {
				return bad("the activation is " + b.Act)
			}
			continue
		}
		v, err := strconv.ParseFloat(f[len(key):], 64)
		if err != nil {
			return bad("no number in " + f)
		}
		whole := map[string]*int{"r": &b.Repeat, "k": &b.K, "s": &b.Stride, "c": &b.Channels}[key]
		part := map[string]*float64{"e": &b.Expand, "se": &b.SE}[key]
		switch {
		case whole != nil && v == math.Trunc(v) && v >= 1 && v <= 1<<16:
			*whole = int(v)
		case part != nil && v > 0 && v <= 100:
			*part = v
		default:
			return bad(f + " is unknown or out of range")
		}
	}
	switch {
	case b.Kind != "ds" && b.Kind != "ir" && b.Kind != "cn":
		return bad("kind " + b.Kind)
	case b.K == 0 || b.Channels == 0:
		return bad("k or c is missing")
	case b.Repeat > 1000 || b.K > 100 || b.Stride > 100:
		return bad("a number is too large")
	case b.Kind != "ir" && b.Expand != 1:
		return bad("e belongs to ir")
	}
	return b, nil
}

// divisible rounds v to a multiple of 8, not more than a tenth down.
func divisible(v float64) int {
	n := max(8, int(v+4)/8*8)
	if float64(n) < .9*v {
		n += 8
	}
	return n
}

// Round is divisible of so many channels times the multiplier.
func (o Options) Round(channels int) int { return divisible(float64(channels) * o.ChannelMultiplier) }

// Window is a K×K window that keeps the size, but for the stride.
func (o Options) Window(k, stride int) block.Window {
	if o.TF {
		return block.Window{K: k, Stride: stride, Same: true}
	}
	return block.Window{K: k, Stride: stride, Pad: k / 2}
}

// Draw draws the stages in the scope blocks and marks each as blocks.i, and its blocks
// but the last as blocks.i.j.
func (o Options) Draw(s *model.Scope, x *Node, stages [][]Block) *Node {
	depth := o.DepthMultiplier
	for i, blocks := range stages {
		if o.DepthMultiplier = depth; o.FixFirstLast && (i == 0 || i == len(stages)-1) {
			o.DepthMultiplier = 1
		}
		j, last := 0, 0
		for _, b := range blocks {
			last += o.repeat(b, len(blocks))
		}
		for _, b := range blocks {
			for r := range o.repeat(b, len(blocks)) {
				if r > 0 {
					b.Stride = 1
				}
				x = o.block(block.At(s, "blocks.%d.%d", i, j), x, b)
				if j++; j < last {
					x = stage.Mark(x, fmt.Sprintf("blocks.%d.%d", i, j-1))
				}
			}
		}
		x = stage.Mark(x, fmt.Sprintf("blocks.%d", i))
	}
	return x
}

func (o Options) repeat(b Block, inStage int) int {
	if inStage > 1 { // timm spreads a stage's repeats over its strings; no network here scales such
		return b.Repeat
	}
	return int(math.Ceil(float64(b.Repeat) * o.DepthMultiplier))
}

func (o Options) block(s *model.Scope, x *Node, b Block) *Node {
	act := map[string]func(*Node) *Node{"": o.Act, "re": block.ReLU, "sw": block.SiLU, "hs": block.HardSwish}[b.Act]
	in, out := x.Shape().Dim(3), o.Round(b.Channels)
	inside, skip := in, x
	norm := func(conv, bn string, y *Node, out int, w block.Window) *Node {
		return w.ConvNorm(block.At(s, "%s", conv), block.At(s, "%s", bn), y, out, o.Eps)
	}
	if b.Kind == "cn" {
		return act(norm("conv", "bn1", x, out, o.Window(b.K, b.Stride)))
	}
	names := []string{"conv_dw", "bn1", "conv_pw", "bn2"}
	if b.Kind == "ir" {
		inside = divisible(float64(in) * b.Expand)
		x = act(norm("conv_pw", "bn1", x, inside, block.Window{K: 1}))
		names = []string{"conv_dw", "bn2", "conv_pwl", "bn3"}
	}
	w := o.Window(b.K, b.Stride)
	w.Groups = inside
	x = act(norm(names[0], names[1], x, inside, w))
	if b.SE > 0 {
		hidden := int(math.RoundToEven(float64(inside) * b.SE / b.Expand))
		if o.SEFromExpanded {
			hidden = divisible(float64(inside) * b.SE)
		}
		between := act
		if o.SEAct != nil {
			between = o.SEAct
		}
		x = block.Excite(block.At(s, "se"), x, hidden, between, o.Gate)
	}
	x = norm(names[2], names[3], x, out, block.Window{K: 1})
	if b.Stride == 1 && in == out {
		x = Add(x, skip)
	}
	return x
}
