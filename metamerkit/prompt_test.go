package metamerkit

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
)

// busy is a service that shows progress, unless silent, and then cannot be stopped for so
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
		show(api.Event{Shown: &api.Shown{Text: "too late"}})
	}
	return &api.Reply{}, nil
}

// However long a service takes to end interrupted work, the request ends soon, and its
// progress ends with a line that says so.
func TestInterrupted(t *testing.T) {
	stderr, before := os.Stderr, state.service
	defer func() { os.Stderr, state.service, state.ctx = stderr, before, nil }()
	for _, d := range []busy{{}, {deaf: time.Hour}, {silent: true}, {silent: true, deaf: time.Hour}} {
		file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
		if err != nil {
			t.Fatal(err)
		}
		said := func() []string {
			data, err := os.ReadFile(file.Name())
			if err != nil {
				t.Fatal(err)
			}
			return strings.FieldsFunc(string(data), func(r rune) bool { return r == '\n' })
		}
		os.Stderr = file
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(3*time.Second, cancel)
			Use(d)
			state.ctx = ctx
			began := time.Now()
			_, err := do(api.Request{})
			if took := time.Since(began) - 3*time.Second; !errors.Is(err, context.Canceled) || took > lastWords {
				t.Errorf("%+v: %v after %s", d, err, took)
			}
			lines := said()
			if len(lines) > 0 == d.silent || !d.silent && !strings.HasPrefix(lines[len(lines)-1], "stopped after 3") {
				t.Errorf("%+v: said %q", d, lines)
			}
			time.Sleep(2 * time.Hour)
			if n := len(said()); n != len(lines) {
				t.Errorf("%+v: said %q after its end", d, said())
			}
		})
		file.Close()
	}
}

// Without an interrupt the service's answer is returned as it is.
func TestAnswered(t *testing.T) {
	want := errors.New("no")
	if _, err := (prompt{answer(func() (*api.Reply, error) { return nil, want })}).Do(t.Context(), api.Request{}, nil); err != want {
		t.Error(err)
	}
	reply := &api.Reply{}
	if got, err := (prompt{answer(func() (*api.Reply, error) { return reply, nil })}).Do(t.Context(), api.Request{}, nil); err != nil || got != reply {
		t.Error(got, err)
	}
}

type answer func() (*api.Reply, error)

func (d answer) Do(context.Context, api.Request, func(api.Event)) (*api.Reply, error) { return d() }
