package metamerkit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/client"
	"github.com/ensemble-metamers/metamers/metamerkit/display"
	"github.com/ensemble-metamers/metamers/metamerkit/display/channel"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

var state struct {
	sync.Mutex
	service api.Service
	ctx     context.Context
}

// Use sends all later requests to a service, such as one in this process (server.New;
// package local does so for models that a program defines), instead of the engine's
// process.
func Use(s api.Service) {
	state.Lock()
	defer state.Unlock()
	state.service = prompt{s}
}

// service returns the service in use: without Use the engine in a process of its own
// (METAMERS_BACKEND chooses among several, METAMERS_ENGINE names one on another machine).
func service() api.Service {
	state.Lock()
	defer state.Unlock()
	if state.service == nil {
		to := os.Stderr
		if channel.Available() {
			to = os.Stdout // which a notebook does not show as an error
		}
		state.service = &client.Client{Say: func(text string) { fmt.Fprintln(to, text) }}
	}
	return state.service
}

// do sends a request to the service in use, shows its progress, and returns the reply. It
// sends those of the request's image sets that the engine does not have.
func do(q api.Request, sets ...Images) (*api.Reply, error) {
	ctx := Context()
	q.Store, q.Data, q.Notebook = os.Getenv("METAMERS_RUNS"), os.Getenv("METAMERS_DATA"), channel.Available()
	if q.Store == "" {
		q.Store = paths.Runs()
	}
	var err error
	if q.Folder, err = os.Getwd(); err != nil {
		return nil, fmt.Errorf("metamerkit: %w", err)
	}
	if !strings.Contains(q.Store, "://") && !filepath.IsAbs(q.Store) {
		q.Store = filepath.Join(q.Folder, q.Store)
	}
	var s shower
	began := time.Now()
	for range len(sets) + 1 {
		reply, err := service().Do(ctx, q, s.show)
		var missing *api.MissingImagesError
		switch {
		case ctx.Err() != nil:
			if s.shown {
				s.show(api.Event{Shown: api.Last(ctx.Err(), time.Since(began))})
			}
			return nil, ctx.Err()
		case !errors.As(err, &missing):
			return reply, err
		}
		i := slices.IndexFunc(sets, func(s Images) bool { return s.ImageSet != nil && s.SHA256() == missing.Images.SHA256 })
		if i < 0 {
			return nil, err
		}
		if err := sets[i].send(); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("metamerkit: the engine keeps fewer images than the request needs")
}

// shower shows the progress of a request: in a cell as one output, elsewhere as lines.
type shower struct {
	shown bool
	out   *display.Live // of a cell
}

func (s *shower) show(e api.Event) {
	if e.Warning != "" {
		fmt.Fprintln(os.Stderr, e.Warning)
	}
	if e.Shown == nil {
		return
	}
	s.shown = true
	if !channel.Available() {
		fmt.Fprintln(os.Stderr, e.Shown.Text)
		return
	}
	v := shown{e.Shown}
	var err error
	if s.out == nil {
		s.out, err = display.NewLive(v)
	} else {
		err = s.out.Update(v)
	}
	if err != nil { // the work itself goes on
		fmt.Fprintln(os.Stderr, "progress:", err)
	}
}

// shown is progress as a cell shows it.
type shown struct{ *api.Shown }

// MIMEBundle implements display.Bundler.
func (s shown) MIMEBundle() (map[string][]byte, error) {
	return map[string][]byte{"text/html": []byte(s.HTML), "text/plain": []byte(s.Text)}, nil
}
