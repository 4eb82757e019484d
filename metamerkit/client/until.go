package client

import (
	"context"
	"sync"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
)

// lastWords is how long an engine has for what it still says of work that was stopped: less
// than a kernel waits for the program of an interrupted cell.
const lastWords = 200 * time.Millisecond

// Until asks a service until ctx ends. Then it returns soon, however long the service
// takes to end the work (a compilation cannot be interrupted), and the progress is
// replaced by a line that says that the work was stopped.
func Until(ctx context.Context, s api.Service, q api.Request, show func(api.Event)) (*api.Reply, error) {
	type answer struct {
		reply *api.Reply
		err   error
	}
	began, done := time.Now(), make(chan answer, 1)
	var mu sync.Mutex
	shown, over := false, false
	go func() {
		reply, err := s.Do(ctx, q, func(e api.Event) {
			mu.Lock()
			defer mu.Unlock()
			if !over {
				shown = shown || e.Shown != nil
				show(e)
			}
		})
		done <- answer{reply, err}
	}()
	var took time.Duration
	select {
	case a := <-done:
		if ctx.Err() == nil {
			return a.reply, a.err
		}
		took = time.Since(began)
	case <-ctx.Done():
		took = time.Since(began)
		select {
		case <-done:
		case <-time.After(lastWords):
		}
	}
	mu.Lock()
	defer mu.Unlock()
	over = true
	if shown {
		show(api.Event{Shown: api.Last(ctx.Err(), took)})
	}
	return nil, ctx.Err()
}
