//go:build cgo

package backend

import (
	"fmt"

	"github.com/gomlx/go-xla/compute/xla"
)

// HasXLA says whether this binary was built with XLA (it needs cgo).
const HasXLA = true

func openXLA(k Kind) (*Backend, error) {
	path, err := FindPlugin(k)
	if err != nil {
		return nil, err
	}
	xla.EnableAutoInstall(false)
	b, err := xla.New(path)
	if err != nil {
		return nil, fmt.Errorf("backend: loading the plugin %s: %w", path, err)
	}
	return &Backend{Compute: b, Kind: k, Plugin: path}, nil
}
