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
)

var (
	opening sync.Mutex
	ready   atomic.Bool
	brief   atomic.Bool
)

// Ready reports whether Open has succeeded.
func Ready() bool { return ready.Load() }

// BFloat16 reports whether the processor has instructions for bfloat16 too, so that oneDNN
// computes it.
func BFloat16() bool { return brief.Load() }

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
	brief.Store(C.onednn_bfloat16() != 0)
	ready.Store(true)
	return nil
}
