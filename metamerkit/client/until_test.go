package client

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
)

// busy is a service that shows progress, if it is to, and then cannot be stopped for so
// long, as when a model is compiled.
type busy struct {
	silent bool
	deaf   time.Duration
}

func (b busy) Do(ctx context.Context, _ api.Request, show func(api.Event)) (*api.Reply, error) {
	if !b.silent {
		show(api.Event{Shown: &api.Shown{Text: "compiling"}})
	}
	<-ctx.Done()
	time.Sleep(b.deaf)
	if !b.silent {
		show(api.Event{Shown: api.Last(ctx.Err(), 0)})
	}
	return &api.Reply{}, nil
}

// However long a service takes to end what was interrupted, the cell ends, and does not
// stand there with the progress of work that nobody waits for.
func TestUntil(t *testing.T) {
	for _, d := range []busy{{}, {deaf: time.Hour}, {silent: true}, {silent: true, deaf: time.Hour}} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(3*time.Second, cancel)
			began, said := time.Now(), []string{}
			_, err := Until(ctx, d, api.Request{}, func(e api.Event) { said = append(said, e.Shown.Text) })
			if took := time.Since(began) - 3*time.Second; !errors.Is(err, context.Canceled) || took > lastWords {
				t.Errorf("%+v: %v after %s", d, err, took)
			}
			if len(said) > 0 == d.silent || !d.silent && said[len(said)-1] != "stopped after 3s" {
				t.Errorf("%+v: said %q", d, said)
			}
			n := len(said)
			time.Sleep(2 * time.Hour)
			if len(said) != n {
				t.Errorf("%+v: said %q after its end", d, said)
			}
		})
	}
}

// An answer is an answer, as long as nobody interrupts.
func TestUntilDone(t *testing.T) {
	want := errors.New("no")
	if _, err := Until(t.Context(), service(func() (*api.Reply, error) { return nil, want }), api.Request{}, nil); err != want {
		t.Error(err)
	}
	reply := &api.Reply{}
	if got, err := Until(t.Context(), service(func() (*api.Reply, error) { return reply, nil }), api.Request{}, nil); err != nil || got != reply {
		t.Error(got, err)
	}
}

type service func() (*api.Reply, error)

func (d service) Do(context.Context, api.Request, func(api.Event)) (*api.Reply, error) { return d() }
