package onnx_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	. "github.com/ensemble-metamers/metamers/metamerkit/zoo/onnx"
)

// outcome is what became of a case: refused with a typed error, or wrong in some way, or
// right when both are empty.
type outcome struct {
	refused error
	wrong   string
}

// together is the number of cases in one compilation: compiling takes far longer than
// computing.
const together = 40

// runCases computes all cases and compares them with the right outputs, by a relative
// tolerance (differs). Where gradients
// is set, the gradient of each float output with respect to each input is held against
// central differences.
func runCases(b *backend.Backend, list []*packed, gradients bool, tolerance float64) map[string]outcome {
	out := map[string]outcome{}
	var ready []*prepared
	for _, c := range list {
		p, o := prepare(b, c, gradients)
		if p == nil {
			out[c.name] = o
			continue
		}
		ready = append(ready, p)
	}
	for part := range slices.Chunk(ready, together) {
		if err := runBatch(b, part, gradients, tolerance, out); err != nil {
			for _, p := range part { // one by one, to find which
				if err := runBatch(b, []*prepared{p}, gradients, tolerance, out); err != nil {
					out[p.name] = outcome{wrong: fmt.Sprintf("fails: %v", err)}
				}
			}
		}
	}
	return out
}

// prepared is a case that the importer takes.
type prepared struct {
	*packed
	model  *Model
	smooth []bool // whether an output is float32 and depends on an input
}

// prepare reads a model and draws it once, so that whatever is refused is known before
// anything is compiled.
func prepare(b *backend.Backend, c *packed, gradients bool) (p *prepared, o outcome) {
	defer func() {
		if r := recover(); r != nil {
			p, o = nil, outcome{wrong: fmt.Sprintf("panic: %v\n%s", r, debug.Stack())}
		}
	}()
	m, err := Read(c.model)
	if err != nil {
		if refusal(err) {
			return nil, outcome{refused: err}
		}
		return nil, outcome{wrong: fmt.Sprintf("an error without a type: %v", err)}
	}
	p = &prepared{packed: c, model: m}
	if !slices.Equal(m.Inputs(), p.in) {
		return nil, outcome{wrong: fmt.Sprintf("has the inputs %q, expected %q", m.Inputs(), p.in)}
	}
	g := NewGraph(b.Compute, c.name)
	var nodes []*Node
	if err := exceptions.TryCatch[error](func() { nodes = p.draw(g) }); err != nil {
		if refusal(err) {
			return nil, outcome{refused: err}
		}
		return nil, outcome{wrong: fmt.Sprintf("an error without a type: %v", err)}
	}
	if len(nodes) != len(p.out) {
		return nil, outcome{wrong: fmt.Sprintf("has %d outputs, expected %d", len(nodes), len(p.out))}
	}
	for i, n := range nodes {
		p.smooth = append(p.smooth, len(p.in) > 0 && n.DType() == dtypes.Float32 && c.tensors["out/"+p.out[i]].kind == 'f')
	}
	if gradients && slices.Contains(p.smooth, true) {
		if err := exceptions.TryCatch[error](func() { p.gradient(g, nodes) }); err != nil {
			if refusal(err) {
				return nil, outcome{refused: err}
			}
			return nil, outcome{wrong: fmt.Sprintf("has no gradient: %v", err)}
		}
	}
	return p, outcome{}
}

// draw puts the model into a graph and returns its outputs.
func (p *prepared) draw(g *Graph) []*Node {
	in := map[string]*Node{}
	for _, name := range p.in {
		in[name] = Parameter(g, p.name+"/"+name, shapes.Make(dtypes.Float32, p.tensors["in/"+name].dims...))
	}
	return p.model.Call(g, in)
}

// gradient returns the gradient of Σ cotangent·output over all smooth outputs, with respect
// to each input, which is a parameter of the graph.
func (p *prepared) gradient(g *Graph, nodes []*Node) []*Node {
	var sum *Node
	for i, n := range nodes {
		if !p.smooth[i] {
			continue
		}
		v := p.cotangent(i)
		c := ConstTensor(g, tensors.FromFlatDataAndDimensions(v.float32s(), v.dims...))
		s := ReduceAllSum(Mul(n, c))
		if sum == nil {
			sum = s
		} else {
			sum = Add(sum, s)
		}
	}
	var in []*Node
	for _, name := range p.in {
		in = append(in, g.GetParameterByName(p.name+"/"+name))
	}
	return Gradient(sum, in...)
}

// cotangent is the case's own, or one drawn at random, for an output.
func (p *prepared) cotangent(i int) value {
	if c, ok := p.tensors["cot/"+p.out[i]]; ok {
		return c
	}
	c := value{kind: 'f', dims: p.tensors["out/"+p.out[i]].dims}
	rng := rand.New(rand.NewPCG(uint64(i), 3))
	for range p.tensors["out/"+p.out[i]].flat {
		c.flat = append(c.flat, float64(float32(rng.NormFloat64())))
	}
	return c
}

// runBatch compiles the cases as one graph, runs it, and says what became of them.
func runBatch(b *backend.Backend, part []*prepared, gradients bool, tolerance float64, out map[string]outcome) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	g := NewGraph(b.Compute, part[0].name)
	var results []*Node
	for _, p := range part {
		nodes := p.draw(g)
		for _, n := range nodes {
			results = append(results, Identity(n))
		}
		if gradients && slices.Contains(p.smooth, true) {
			results = append(results, p.gradient(g, nodes)...)
		}
	}
	if err := g.Compile(results...); err != nil {
		return err
	}
	run := func(step float64) []*tensors.Tensor {
		args := map[string]*tensors.Tensor{}
		for _, p := range part {
			for _, name := range p.in {
				v := p.shifted(name, step)
				args[p.name+"/"+name] = tensors.FromFlatDataAndDimensions(v.float32s(), v.dims...)
			}
		}
		list := make([]any, g.NumParameters())
		for i := range list {
			list[i] = args[g.GetParameterByHandle(ParameterHandle(i)).GetParameterName()]
		}
		return g.Run(list...)
	}
	first := take(run(0), part, gradients)
	for i, p := range part {
		out[p.name] = outcome{wrong: p.compare(first[i], tolerance)}
	}
	if !gradients {
		return nil
	}
	var moved [4][]parts
	for i, step := range []float64{large, -large, fine, -fine} {
		moved[i] = take(run(step), part, gradients)
	}
	for i, p := range part {
		if o := out[p.name]; o.wrong == "" {
			out[p.name] = outcome{wrong: p.slopes(first[i], moved[0][i], moved[1][i], moved[2][i], moved[3][i])}
		}
	}
	return nil
}

// The steps of central differences, in multiples of a direction whose elements are about 1.
const large, fine = 1. / 256, 1. / 1024

// shifted is an input moved by a step along a direction.
func (p *prepared) shifted(name string, step float64) value {
	v := p.tensors["in/"+name]
	if step == 0 {
		return v
	}
	d := p.direction(name)
	moved := value{kind: v.kind, dims: v.dims, flat: slices.Clone(v.flat)}
	for i := range moved.flat {
		moved.flat[i] += step * d[i]
	}
	return moved
}

func (p *prepared) direction(name string) []float64 {
	rng := rand.New(rand.NewPCG(uint64(len(name)), 4))
	d := make([]float64, len(p.tensors["in/"+name].flat))
	for i := range d {
		d[i] = (.5 + rng.Float64()) * math.Copysign(1, rng.Float64()-.5)
	}
	return d
}

// parts are the results of one case: its outputs and its gradients.
type parts struct{ outs, gradients []value }

// take sorts the results of a batch by case.
func take(results []*tensors.Tensor, part []*prepared, gradients bool) []parts {
	next := func() value {
		r := results[0]
		results = results[1:]
		return fromTensor(r)
	}
	var all []parts
	for _, p := range part {
		var r parts
		for range p.out {
			r.outs = append(r.outs, next())
		}
		if gradients && slices.Contains(p.smooth, true) {
			for range p.in {
				r.gradients = append(r.gradients, next())
			}
		}
		all = append(all, r)
	}
	return all
}

// compare holds outputs, and gradients that the case states, against the right ones.
func (p *prepared) compare(r parts, tolerance float64) string {
	if p.half {
		tolerance = 5e-3
	}
	for i, name := range p.out {
		if d := differs(r.outs[i], p.tensors["out/"+name], tolerance); d != "" {
			return "output " + name + " " + d
		}
	}
	for i, name := range p.in {
		if want, ok := p.tensors["grad/"+name]; ok {
			if d := differs(r.gradients[i], want, 1e-3); d != "" {
				return "gradient " + name + " " + d
			}
		}
	}
	return ""
}

// slopes holds gradients along the direction against central differences. Where the two
// steps disagree, there is a kink between them, and nothing to hold against.
func (p *prepared) slopes(at, up, down, upSmall, downSmall parts) string {
	if len(at.gradients) == 0 || p.half {
		return ""
	}
	slope, size := 0., 0.
	for i, name := range p.in {
		d := p.direction(name)
		for k, g := range at.gradients[i].flat {
			slope += g * d[k]
			size += math.Abs(g * d[k])
		}
	}
	difference := func(a, b parts, step float64) (sum, noise float64) {
		for i := range p.out {
			if !p.smooth[i] {
				continue
			}
			c := p.cotangent(i)
			for k := range c.flat {
				if d := a.outs[i].flat[k] - b.outs[i].flat[k]; !math.IsNaN(d) {
					sum += d * c.flat[k]
					noise += (math.Abs(a.outs[i].flat[k]) + math.Abs(b.outs[i].flat[k])) * math.Abs(c.flat[k])
				}
			}
		}
		return sum / (2 * step), noise * 1.2e-7 / (2 * step)
	}
	d, noise := difference(up, down, large)
	e, more := difference(upSmall, downSmall, fine)
	if tolerance := .01*size + noise + 1e-4; math.Abs(slope-d) > tolerance && math.Abs(d-e) < tolerance+more && math.Abs(slope-e) > tolerance+more {
		return fmt.Sprintf("the gradient gives %g along a direction, differences give %g and %g", slope, d, e)
	}
	return ""
}
