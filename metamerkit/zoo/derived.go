package zoo

import (
	"sync"

	"github.com/gomlx/gomlx/core/tensors"
)

// Derived holds what graphs compute from a net's frozen weights alone (see block.Once),
// on the device, by key, so that it is computed once and all graphs of the net share it.
type Derived struct {
	sync.Mutex
	Tensors map[string]*tensors.Tensor
}

// NewDerived returns one that holds nothing.
func NewDerived() *Derived { return &Derived{Tensors: map[string]*tensors.Tensor{}} }

// bytes is the memory that it takes.
func (d *Derived) bytes() (sum int) {
	if d == nil {
		return 0
	}
	d.Lock()
	defer d.Unlock()
	for _, t := range d.Tensors {
		sum += t.Shape().Size() * t.DType().Size()
	}
	return sum
}
