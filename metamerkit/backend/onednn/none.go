//go:build !cgo || !linux || !amd64

package onednn

import (
	"errors"
	"unsafe"

	"github.com/gomlx/compute/dtypes"
)

// Ready reports whether oneDNN is loaded, which it is on linux/amd64 with cgo only.
func Ready() bool { return false }

// Computes reports whether products and convolutions of a type are given to oneDNN.
func Computes(dtypes.DType) bool { return false }

// Open returns an error: oneDNN cannot be loaded here.
func Open(table unsafe.Pointer, file string) error {
	return errors.New("onednn: it can be loaded on linux/amd64 with cgo only")
}
