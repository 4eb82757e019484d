//go:build !cgo || !linux || !amd64

package onednn

import (
	"errors"
	"unsafe"
)

// Ready reports whether oneDNN is loaded, which it is on linux/amd64 with cgo only.
func Ready() bool { return false }

// BFloat16 reports whether it computes bfloat16.
func BFloat16() bool { return false }

// Open is an error.
func Open(table unsafe.Pointer, file string) error {
	return errors.New("onednn: it is for linux/amd64 with cgo")
}
