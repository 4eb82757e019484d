package engine

import (
	"context"
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// Blocks of activations are multiplied on the device in tiles of so many images and
// values: they and their float64 copies fit in caches (with 8192 values the processor
// needs 1.7 times as long).
const (
	tileRows = 256
	tileCols = 2048
)

// worthwhile is the number of multiplications from which the device is asked: below,
// compiling costs more than it saves.
const worthwhile = 1 << 30

// products returns inner products on the device for evaluate.NewGramWith, nil where the
// host is to do it: for few or small activations, and on the pure-Go backend, whose
// matrix product is no faster than gonum's.
func (e *Engine) products(n, dim int) (evaluate.Products, error) {
	if e.Backend.Kind == backend.Go || int64(n)*int64(n)*int64(dim) < worthwhile {
		return nil, nil
	}
	m, err := compile(e, "products", zoo.Key{}, digest{}, func() (*multiplier, error) { return newMultiplier(e.Backend, e.device, tileRows, tileCols) })
	if err != nil {
		return nil, err
	}
	return m.products, nil
}

// multiplier is the compiled product of two centred tiles in float64.
type multiplier struct {
	g          *Graph
	rows, cols int // of a tile
	device     device
}

func newMultiplier(b *backend.Backend, device device, rows, cols int) (m *multiplier, err error) {
	m = &multiplier{rows: rows, cols: cols, device: device}
	err = exceptions.TryCatch[error](func() {
		g := NewGraph(b.Compute, "inner products")
		var side [2]*Node
		filled := Parameter(g, "columns", shapes.Make(dtypes.Int32))
		in := LessThan(Iota(g, shapes.Make(dtypes.Int32, 1, cols), 1), BroadcastToDims(Reshape(filled, 1, 1), 1, cols))
		for i := range side {
			tile := Parameter(g, fmt.Sprint("tile", i), shapes.Make(dtypes.Float32, rows, cols))
			mean := Parameter(g, fmt.Sprint("mean", i), shapes.Make(dtypes.Float64, rows, 1))
			centred := Sub(ConvertDType(tile, dtypes.Float64), BroadcastToDims(mean, rows, cols))
			side[i] = Where(BroadcastToDims(in, rows, cols), centred, ZerosLike(centred))
		}
		out := Einsum("ik,jk->ij", side[0], side[1])
		if err := g.Compile(out); err != nil {
			panic(err)
		}
		m.g = g
	})
	if err != nil {
		return nil, fmt.Errorf("engine: compiling inner products: %w", err)
	}
	return m, nil
}

// products returns Σₖ (leftᵢₖ − meanᵢ)(rightⱼₖ − meanⱼ) for all i, j. The device is
// taken for each pair of tiles.
func (m *multiplier) products(ctx context.Context, left, right [][]float32, meanLeft, meanRight []float64) ([]float64, error) {
	out := make([]float64, len(left)*len(right))
	same := &left[0] == &right[0] && len(left) == len(right)
	dim := 0
	for _, v := range left {
		dim = max(dim, len(v))
	}
	var flat [2][]float32
	for i := range flat {
		flat[i] = make([]float32, m.rows*m.cols)
	}
	for a := 0; a < len(left); a += m.rows {
		rows := left[a:min(a+m.rows, len(left))]
		means := m.column(meanLeft[a:min(a+m.rows, len(left))])
		for k := 0; k < dim; k += m.cols {
			to := min(k+m.cols, dim)
			m.fill(flat[0], rows, k, to)
			first := tensors.FromFlatDataAndDimensions(flat[0], m.rows, m.cols)
			for b := 0; b < len(right); b += m.rows {
				if same && b > a { // the other half is its mirror image
					break
				}
				if err := ctx.Err(); err != nil {
					first.MustFinalizeAll()
					return nil, err
				}
				others := right[b:min(b+m.rows, len(right))]
				m.fill(flat[1], others, k, to)
				err := m.device.do(ctx, func() error {
					return exceptions.TryCatch[error](func() {
						second := tensors.FromFlatDataAndDimensions(flat[1], m.rows, m.cols)
						got := m.g.Run(tensors.FromValue(int32(to-k)), first, means, second, m.column(meanRight[b:min(b+m.rows, len(right))]))[0]
						values := tensors.MustCopyFlatData[float64](got)
						got.MustFinalizeAll()
						second.MustFinalizeAll()
						for i := range rows {
							for j := range others {
								out[(a+i)*len(right)+b+j] += values[i*m.rows+j]
							}
						}
					})
				})
				if err != nil {
					first.MustFinalizeAll()
					return nil, fmt.Errorf("engine: inner products: %w", err)
				}
			}
			first.MustFinalizeAll()
		}
	}
	if same {
		for i := range left {
			for j := i + 1; j < len(right); j++ {
				out[i*len(right)+j] = out[j*len(right)+i]
			}
		}
	}
	return out, nil
}

// fill copies the values from ≤ k < to of each row; what is behind them is not read,
// rows that are not there are zeros.
func (m *multiplier) fill(flat []float32, rows [][]float32, from, to int) {
	for i := range m.rows {
		if i < len(rows) && rows[i] != nil {
			copy(flat[i*m.cols:], rows[i][from:to])
			continue
		}
		clear(flat[i*m.cols : (i+1)*m.cols])
	}
}

// column is a column of means, filled up with zeros.
func (m *multiplier) column(means []float64) *tensors.Tensor {
	col := make([]float64, m.rows)
	copy(col, means)
	return tensors.FromFlatDataAndDimensions(col, m.rows, 1)
}
