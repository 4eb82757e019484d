//go:build !cgo

package backend

import "fmt"

// HasXLA says whether this binary was built with XLA (it needs cgo).
const HasXLA = false

func openXLA(k Kind) (*Backend, error) { return openPlugin(k, "") }

func openPlugin(k Kind, _ string) (*Backend, error) {
	return nil, fmt.Errorf("backend: %s needs a build with cgo (CGO_ENABLED=1 and a C compiler)", k)
}
