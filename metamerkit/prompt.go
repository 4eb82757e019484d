package metamerkit

import (
	"context"
	"sync"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
)

// lastWords is how long a service has for its last events after an interrupt: less than a
// kernel waits for an interrupted cell.
const lastWords = 200 * time.Millisecond

// prompt is a service whose Do returns soon after ctx ends, however long the work takes to
// end: a compilation in this process cannot be interrupted. Later events are dropped.
type prompt struct{ api.Service }

// Do implements api.Service.
func (p prompt) Do(ctx context.Context, q api.Request, show func(api.Event)) (*api.Reply, error) {
	type answer struct {
		reply *api.Reply
		err   error
	}
	done := make(chan answer, 1)
	var mu sync.Mutex
	over := false
	go func() {
		reply, err := p.Service.Do(ctx, q, func(e api.Event) {
			mu.Lock()
			defer mu.Unlock()
			if !over {
				show(e)
			}
		})
		done <- answer{reply, err}
	}()
	select {
	case a := <-done:
		return a.reply, a.err
	case <-ctx.Done():
		select {
		case <-done:
		case <-time.After(lastWords):
		}
	}
	mu.Lock()
	defer mu.Unlock()
	over = true
	return nil, ctx.Err()
}
