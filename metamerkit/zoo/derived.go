package zoo

import (
	"sync"
	"sync/atomic"

	"github.com/gomlx/gomlx/core/tensors"
)

// Derived holds what graphs compute from a net's frozen weights alone (see block.Once),
// on the device, by key, so that it is computed once and all graphs of the net share it.
// Whoever reads or adds holds the lock, also while computing.
type Derived struct {
	sync.Mutex
	tensors map[string]*tensors.Tensor
	bytes   atomic.Int64
}

// NewDerived returns one that holds nothing.
func NewDerived() *Derived { return &Derived{tensors: map[string]*tensors.Tensor{}} }

// Get returns what is there under a key, else nil.
func (d *Derived) Get(key string) *tensors.Tensor { return d.tensors[key] }

// Put adds what was computed under a key.
func (d *Derived) Put(key string, t *tensors.Tensor) {
	d.tensors[key] = t
	d.bytes.Add(int64(t.Shape().Size() * t.DType().Size()))
}

// Bytes is the memory that it takes. It waits for nobody who computes.
func (d *Derived) Bytes() int {
	if d == nil {
		return 0
	}
	return int(d.bytes.Load())
}
