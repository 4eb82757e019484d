package weights

import (
	"fmt"
	"io"
)

// source is a file's bytes.
type source struct {
	r    io.ReaderAt
	size int64
}

// bytes reads n bytes at a place.
func (s source) bytes(at, n int64) ([]byte, error) {
	if at < 0 || n < 0 || n > s.size-at {
		return nil, fmt.Errorf("%d bytes at %d of a file of %d", n, at, s.size)
	}
	b := make([]byte, n)
	return b, s.read(b, at)
}

func (s source) read(b []byte, at int64) error {
	if n, err := s.r.ReadAt(b, at); n < len(b) {
		return fmt.Errorf("reading %d bytes at %d: %w", len(b), at, err)
	}
	return nil
}
