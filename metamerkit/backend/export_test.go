//go:build cgo && linux && amd64

package backend

// What TestOneDNN looks at.
var (
	OneDNNFile = oneDNN
	Rewritten  = rewritten.Load
)
