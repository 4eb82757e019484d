package block

import (
	"path/filepath"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
)

// minimal reports whether w's convolution of x [B,H,W,C] to out channels is computed by
// Winograd's minimal filtering F(2×2, 3×3) (Lavin & Gray 2016, arXiv:1509.09308): 16 products of
// matrices for four pixels in place of 36. It does so in training on XLA's CPU, whose
// own gradient by the kernel takes several times as long. Frozen models have a form of
// their own (see filtered).
func (w Window) minimal(x *Node, out int, training bool) bool {
	return training && w.dense3(x, out, 32)
}

// dense3 reports whether w's convolution of x to out channels is 3×3, of stride 1, without
// groups, with least channels or more on both sides, on XLA's CPU.
func (w Window) dense3(x *Node, out, least int) bool {
	if w.K != 3 || w.stride() != 1 || w.groups() != 1 || min(channels(x), out) < least || !onCPU(x) {
		return false
	}
	pads, _ := w.frame(x)
	return max(pads[0][0], pads[0][1], pads[1][0], pads[1][1]) < w.K // else the way back would cut
}

// onCPU reports whether x is computed by XLA's CPU plugin.
func onCPU(x *Node) bool {
	b, ok := x.Graph().Backend().(interface{ PluginName() string })
	return ok && strings.Contains(filepath.Base(b.PluginName()), "cpu")
}

// tiles are the 3×3 convolutions with padding pads that have n results on each axis,
// in tiles of 2×2.
type tiles struct {
	pads [2][2]int
	n    [2]int
}

func (t tiles) count() [2]int { return [2]int{(t.n[0] + 1) / 2, (t.n[1] + 1) / 2} }

// The three transforms of F(2,3), on one axis: of four pixels, of three elements of a
// kernel, and back to two results. Each row is written as what it takes from its terms.
func pixels4(d []*Node) []*Node {
	return []*Node{Sub(d[0], d[2]), Add(d[1], d[2]), Sub(d[2], d[1]), Sub(d[1], d[3])}
}

func kernel4(g []*Node) []*Node {
	outer, half := Add(g[0], g[2]), MulScalar(g[1], 0.5)
	outer = MulScalar(outer, 0.5)
	return []*Node{g[0], Add(outer, half), Sub(outer, half), g[2]}
}

func results2(m []*Node) []*Node {
	return []*Node{Add(Add(m[0], m[1]), m[2]), Sub(Sub(m[1], m[2]), m[3])}
}

// Their transposes, for the gradient by the kernel.
func results4(y []*Node) []*Node {
	return []*Node{y[0], Add(y[0], y[1]), Sub(y[0], y[1]), Neg(y[1])}
}

func kernel3(u []*Node) []*Node {
	sum := MulScalar(Add(u[1], u[2]), 0.5)
	return []*Node{Add(u[0], sum), MulScalar(Sub(u[1], u[2]), 0.5), Add(sum, u[3])}
}

// both applies f to rows, then to the columns of each; x[i][j] are row and column.
func both(f func([]*Node) []*Node, x [][]*Node) [][]*Node {
	return crossed(f, crossed(f, x))
}

// crossed applies f to the first index and exchanges the two.
func crossed(f func([]*Node) []*Node, x [][]*Node) (out [][]*Node) {
	for j := range x[0] {
		column := make([]*Node, len(x))
		for i := range x {
			column[i] = x[i][j]
		}
		out = append(out, f(column))
	}
	return out
}

// frame pads x to whole tiles. XLA would compute what x is made of, and what is made of
// the result, again for each of the 16 matrices: barriers keep them apart.
func (t tiles) frame(x *Node) *Node {
	pads := t.pads
	for i, n := range t.count() {
		pads[i][1] = 2*n + 2 - x.Shape().Dim(i+1) - pads[i][0]
	}
	return OptimizationBarrier(frameHW(x, 1, pads))
}

// every2 is the matrix [B·h·w,C] of h×w pixels of x, every second one from i,j.
func every2(x *Node, i, j, h, w int) *Node {
	return Reshape(Window{Stride: 2}.view(x, i, j, [2]int{h, w}), -1, channels(x))
}

// pixels are the 16 matrices [tiles,C] of a framed x.
func pixels(x *Node) [][]*Node {
	d := make([][]*Node, 4)
	for i := range d {
		for j := range 4 {
			d[i] = append(d[i], every2(x, i, j, x.Shape().Dim(1)/2-1, x.Shape().Dim(2)/2-1))
		}
	}
	return both(pixels4, d)
}

// tap is element i,j of a kernel [K,K,C,O], a matrix [C,O].
func tap(kernel *Node, i, j int) *Node {
	return Reshape(Slice(kernel, AxisElem(i), AxisElem(j)), kernel.Shape().Dimensions[2:]...)
}

// kernels are the 16 matrices [C,O] of k [3,3,C,O].
func kernels(k *Node) [][]*Node {
	g := make([][]*Node, 3)
	for i := range g {
		for j := range 3 {
			g[i] = append(g[i], tap(k, i, j))
		}
	}
	return both(kernel4, g)
}

// inParts frames x [B,H,W,C] and applies f, which makes [b,2h,2w,out] of h×w whole tiles,
// to whole images or, of large images, some rows at a time, so that one of the 16
// matrices has about most numbers and all of them stay in the processor's cache.
func (t tiles) inParts(x *Node, out, most int, f func(x *Node) *Node) *Node {
	count := t.count()
	row := count[1] * max(channels(x), out)
	rows := min(max(most/row, 1), count[0])
	images := max(most/(row*count[0]), 1)
	x = t.frame(x)
	b := x.Shape().Dim(0)
	var parts []*Node
	for i := 0; i < b; i += images {
		var bands []*Node
		for j := 0; j < count[0]; j += rows {
			bands = append(bands, f(Slice(x, AxisRange(i, min(i+images, b)), AxisRange(2*j, 2*min(j+rows, count[0])+2))))
		}
		parts = append(parts, Concatenate(bands, 1))
	}
	return OptimizationBarrier(Slice(Concatenate(parts, 0), AxisRange(), AxisRange(0, t.n[0]), AxisRange(0, t.n[1])))
}

// convolve is the convolution of x [B,H,W,C] with k [3,3,C,O], [B,n,n,O].
func (t tiles) convolve(x, k *Node) *Node {
	u := kernels(k)
	return t.inParts(x, k.Shape().Dim(3), 1<<18, func(x *Node) *Node { return convolve16(x, u) })
}

// convolve16 is the convolution of a framed x, whole tiles, with kernels u.
func convolve16(x *Node, u [][]*Node) *Node {
	p, m := pixels(x), make([][]*Node, 4)
	for i := range 4 {
		for j := range 4 {
			m[i] = append(m[i], product(p[i][j], []int{1}, nil, u[i][j], []int{0}, nil))
		}
	}
	b, h, w, o := x.Shape().Dim(0), x.Shape().Dim(1)/2-1, x.Shape().Dim(2)/2-1, channels(u[0][0])
	var rows []*Node
	for _, row := range both(results2, m) {
		for j, y := range row {
			row[j] = Reshape(y, b, h, w, o)
		}
		rows = append(rows, Stack(row, 3))
	}
	return Reshape(Stack(rows, 2), b, 2*h, 2*w, o)
}

// kernelGradient is the gradient of convolve by its kernel, [3,3,C,O], for a gradient v
// [B,n,n,O] of its result.
func (t tiles) kernelGradient(x, v *Node) *Node {
	count := t.count()
	v = frameHW(v, 1, [2][2]int{{0, 2*count[0] - t.n[0]}, {0, 2*count[1] - t.n[1]}})
	y := make([][]*Node, 2)
	for i := range y {
		for j := range 2 {
			y[i] = append(y[i], every2(v, i, j, count[0], count[1]))
		}
	}
	p, m, u := pixels(t.frame(x)), both(results4, y), make([][]*Node, 4)
	for i := range 4 {
		for j := range 4 {
			u[i] = append(u[i], product(p[i][j], []int{0}, nil, m[i][j], []int{0}, nil))
		}
	}
	var rows []*Node
	for _, row := range both(kernel3, u) {
		rows = append(rows, Stack(row, 0))
	}
	return Stack(rows, 0)
}

// tiled is w's convolution by tiles, with its gradients by tiles, by x and by the kernel.
func (w Window) tiled(x, kernel *Node) *Node {
	pads, n := w.frame(x)
	t, back := tiles{pads, n}, tiles{w.back(x), [2]int{x.Shape().Dim(1), x.Shape().Dim(2)}}
	return adjoint([]*Node{x, kernel}, func(in []*Node) *Node { return t.convolve(in[0], in[1]) }, func(v *Node) []*Node {
		return []*Node{back.convolve(v, turned(kernel)), t.kernelGradient(x, v)}
	})
}
