package errand

import (
	"context"
	"sync"
	"time"
)

// lastWords is how long a desk has for what it still says of work that was stopped: less
// than a kernel waits for the program of an interrupted cell.
const lastWords = 200 * time.Millisecond

// Until has an errand done by a desk until ctx ends. Then it returns soon, however long
// the desk takes to end the work (what is being compiled cannot be left), and in the
// place of progress stands that it was stopped.
func Until(ctx context.Context, d Desk, q Request, show func(Event)) (*Reply, error) {
	type answer struct {
		reply *Reply
		err   error
	}
	began, done := time.Now(), make(chan answer, 1)
	var mu sync.Mutex
	shown, over := false, false
	go func() {
		reply, err := d.Do(ctx, q, func(e Event) {
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
		show(Event{Shown: Last(ctx.Err(), took)})
	}
	return nil, ctx.Err()
}
