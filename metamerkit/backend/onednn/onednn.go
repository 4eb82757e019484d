//go:build cgo && linux && amd64

package onednn

/*
#cgo LDFLAGS: -ldl
#include <stdlib.h>
#include "onednn.h"
*/
import "C"

import (
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/gomlx/compute/dtypes"
)

var (
	opening  sync.Mutex
	ready    atomic.Bool
	bfloat16 atomic.Bool // the processor has instructions for it
)

// Ready reports whether Open has succeeded.
func Ready() bool { return ready.Load() }

// Computes reports whether products and convolutions of a type are given to oneDNN: those of
// float32, and of bfloat16 where the processor has instructions for it, after Open.
func Computes(typ dtypes.DType) bool {
	return Ready() && (typ == dtypes.Float32 || typ == dtypes.BFloat16 && bfloat16.Load())
}

// Open loads oneDNN from a file and registers its operations with a plugin, given by what the
// plugin's GetPjrtApi returns. There is one plugin and one library a process: Open does
// nothing after it has succeeded. It is an error if the file is not oneDNN or needs a library
// that is missing.
func Open(table unsafe.Pointer, file string) error {
	opening.Lock()
	defer opening.Unlock()
	if ready.Load() {
		return nil
	}
	path := C.CString(file)
	defer C.free(unsafe.Pointer(path))
	if wrong := C.onednn_open(table, path); wrong != nil {
		return fmt.Errorf("onednn: %s: %s", file, C.GoString(wrong))
	}
	bfloat16.Store(C.onednn_bfloat16() != 0)
	ready.Store(true)
	return nil
}
