package train

import (
	"fmt"
	"iter"
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/tensors"
	gomlx "github.com/gomlx/gomlx/ml/train"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
)

// shuffled is the order of n images in an epoch.
func shuffled(seed uint64, epoch, n int) []int {
	return rand.New(rand.NewPCG(seed, uint64(epoch)<<1|1)).Perm(n)
}

// draw is the inputs of one step, all that is random in it.
type draw struct {
	index []int32   // [B] of the training images
	shift []int32   // [B,2] rows and columns, 0 to 2·crop
	flip  []float32 // [B] 0 or 1
	cut   []int32   // [B,2] centre of the cutout
	mix   float32   // share of the image itself in mixup
	rng   []uint64  // [3] state of the device's generator
}

// drawStep draws step (from 0) over n training images of the given side.
func (o Options) drawStep(step, n, side int) draw {
	per := n / o.Batch // steps an epoch; what is left of an epoch is left out
	order := shuffled(o.Seed, step/per, n)
	first := step % per * o.Batch
	r := rand.New(rand.NewPCG(o.Seed, uint64(step)<<1))
	d := draw{mix: 1}
	for i := range o.Batch {
		d.index = append(d.index, int32(order[first+i]))
		crop := max(o.Crop, 0)
		d.shift = append(d.shift, int32(r.IntN(2*crop+1)), int32(r.IntN(2*crop+1)))
		f := float32(r.IntN(2))
		if o.NoFlip {
			f = 0
		}
		d.flip = append(d.flip, f)
		d.cut = append(d.cut, int32(r.IntN(side)), int32(r.IntN(side)))
	}
	if o.Mixup > 0 {
		d.mix = float32(distuv.Beta{Alpha: o.Mixup, Beta: o.Mixup, Src: r}.Rand())
	}
	d.rng = []uint64{r.Uint64(), r.Uint64(), r.Uint64()}
	return d
}

// feed is a train.Dataset without end: the steps from first on.
type feed struct {
	o     Options
	n     int // training images
	side  int
	steps int // of the whole run
	first int
	spec  func() any             // what the next step's graph is compiled for
	place func(step int) float64 // in the schedule
}

// Name implements train.Dataset.
func (f *feed) Name() string { return "training images" }

// Iter implements train.Dataset.
func (f *feed) Iter() iter.Seq2[gomlx.Batch, error] {
	avg, _ := parseAverage(f.o.Average)
	return func(yield func(gomlx.Batch, error) bool) {
		for step := f.first; ; step++ {
			d := f.o.drawStep(step, f.n, f.side)
			b := f.o.Batch
			in := []*tensors.Tensor{
				tensors.FromFlatDataAndDimensions(d.index, b),
				tensors.FromFlatDataAndDimensions(d.shift, b, 2),
				tensors.FromFlatDataAndDimensions(d.flip, b),
				tensors.FromFlatDataAndDimensions(d.cut, b, 2),
				tensors.FromFlatDataAndDimensions(d.rng, 3),
				tensors.FromFlatDataAndDimensions([]float32{
					float32(f.o.rate(f.place(step), f.steps)), d.mix, float32(avg.keep(step, f.steps)), float32(step + 1),
				}, numHyper),
			}
			if !yield(gomlx.Batch{Inputs: in, Spec: f.spec()}, nil) {
				return
			}
		}
	}
}

// Places in the vector of a step's numbers.
const (
	hyperRate  = iota // learning rate
	hyperMix          // share of the image itself in mixup
	hyperKeep         // share of the old average of the weights
	hyperCount        // steps taken, this one included
	numHyper
)

// bytes turns pixels in [0,1] into 8 bits, which is what they were in the files.
func bytes(s *images.Set) *tensors.Tensor {
	flat := make([]uint8, len(s.Pixels))
	for i, v := range s.Pixels {
		flat[i] = uint8(v*255 + 0.5)
	}
	return tensors.FromFlatDataAndDimensions(flat, s.Len(), s.Size, s.Size, 3)
}

func labels(s *images.Set) *tensors.Tensor {
	flat := make([]int32, s.Len())
	for i, l := range s.Labels {
		flat[i] = int32(l)
	}
	return tensors.FromFlatDataAndDimensions(flat, s.Len())
}

// checkSet says what is wrong with a set as data for a model of so many classes.
func checkSet(s *images.Set, what string, classes int) error {
	if s == nil || s.Len() == 0 {
		return fmt.Errorf("train: no %s images", what)
	}
	for i, l := range s.Labels {
		if l < 0 || l >= classes {
			return fmt.Errorf("train: %s image %s of %s has the label %d, expected 0 to %d", what, s.Names[i], s.Name, l, classes-1)
		}
	}
	return nil
}

func imageShape(batch, side int) []int { return []int{batch, side, side, 3} }
