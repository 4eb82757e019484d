package engine

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// device lets one goroutine use the backend at a time, in the order in which they ask. It is
// held around calls that compute or copy (a chunk of steps, a batch that is read), never
// while something is compiled, compared or written.
type device struct{ free *semaphore.Weighted }

func newDevice() device { return device{semaphore.NewWeighted(1)} }

// do calls f with the device held. It fails when ctx is cancelled before its turn.
func (d device) do(ctx context.Context, f func() error) error {
	if err := d.free.Acquire(ctx, 1); err != nil {
		return err
	}
	defer d.free.Release(1)
	return f()
}
