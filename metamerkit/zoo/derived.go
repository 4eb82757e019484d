package zoo

import (
	"sync"
	"sync/atomic"

	"github.com/gomlx/gomlx/core/tensors"
)

// Derived holds values that graphs compute from a net's frozen weights alone (see
// block.Once). They are computed once, stay on the device, and are shared by all graphs of
// the net. Callers hold the lock while reading, computing and adding.
type Derived struct {
	sync.Mutex
	tensors map[string]*tensors.Tensor
	bytes   atomic.Int64
}

// NewDerived returns an empty Derived.
func NewDerived() *Derived { return &Derived{tensors: map[string]*tensors.Tensor{}} }

// Get returns the value of a key, or nil.
func (d *Derived) Get(key string) *tensors.Tensor { return d.tensors[key] }

// Put adds the value of a key.
func (d *Derived) Put(key string, t *tensors.Tensor) {
	d.tensors[key] = t
	d.bytes.Add(int64(t.Shape().Size() * t.DType().Size()))
}

// Bytes returns the memory of the values on the device. It does not wait for the lock.
func (d *Derived) Bytes() int {
	if d == nil {
		return 0
	}
	return int(d.bytes.Load())
}
