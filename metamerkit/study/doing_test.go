package study

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// writer answers as made does, but the files of a run are written until the next is asked
// for.
type writer struct {
	*made
	mu       sync.Mutex
	began    map[string]chan struct{} // by set and stage
	failing  string                   // whose files cannot be written
	stopped  int                      // runs that ctx ended
	under    int                      // way
	most     int                      // at once
	foretold []string
}

func name(r metamer.Recipe) string { return strings.Join(r.ModelNames(), "+") + " " + r.Stage }

func (w *writer) start(key string) chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.began[key] == nil {
		w.began[key] = make(chan struct{})
	}
	return w.began[key]
}

func (w *writer) Synthesize(ctx context.Context, q api.Synthesis) (*metamer.Run, error) {
	w.mu.Lock()
	w.under++
	w.most = max(w.most, w.under)
	run, err := w.made.Synthesize(ctx, q)
	w.mu.Unlock()
	close(w.start(name(q.Recipe)))
	defer func() {
		w.mu.Lock()
		w.under--
		w.mu.Unlock()
	}()
	if err != nil {
		return nil, err
	}
	if w.failing != "" && w.failing != name(q.Recipe) && q.Next == nil { // computes until it is ended
		<-ctx.Done()
		w.mu.Lock()
		w.stopped++
		w.mu.Unlock()
		return nil, ctx.Err()
	}
	if q.Next != nil { // before the next begins
		w.mu.Lock()
		w.foretold = append(w.foretold, name(*q.Next))
		w.mu.Unlock()
	}
	q.Stepped()
	q.Progress(metamer.Progress{Phase: metamer.Writing, Usage: used})
	if q.Next != nil {
		<-w.start(name(*q.Next)) // hangs if the next run waits for this one
	}
	if w.failing == name(q.Recipe) {
		return nil, errors.New("the disk is full")
	}
	return run, nil
}

// Evaluate says in its reports what was used, as an engine does.
func (w *writer) Evaluate(ctx context.Context, q api.Evaluation) (metamer.Rows, error) {
	q = q.WithDefaults()
	show := q.Progress
	q.Progress = func(p metamer.Progress) {
		p.Usage = used
		show(p)
	}
	return w.made.Evaluate(ctx, q)
}

// used is what all reports of a writer say.
var used = metamer.Usage{Cores: 2, Processor: time.Second, Memory: 1 << 20}

// The files of a run are written while the next is computed, two runs at a time, and the
// runs come in the plan's order.
func TestOverlap(t *testing.T) {
	w := &writer{made: newMade(), began: map[string]chan struct{}{}}
	var ran []string
	r, err := Do(context.Background(), w, plan(w.made), Options{Images: w.refs, Ran: func(run *metamer.Run) { ran = append(ran, name(run.Recipe)) }})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, set := range r.Plan.Sets {
		for _, stage := range r.Plan.Stages {
			want = append(want, strings.Join(set, "+")+" "+stage)
		}
	}
	var got []string
	for _, run := range r.Runs {
		got = append(got, name(run.Recipe))
	}
	if !slices.Equal(got, want) || !slices.Equal(ran, want) || !slices.Equal(w.foretold, want[1:]) || w.most != 2 {
		t.Errorf("runs %v, told %v, foretold %v, expected %v; %d at once", got, ran, w.foretold, want, w.most)
	}
	if r.Spent.Cores != used.Cores || r.Spent.Memory != used.Memory {
		t.Errorf("%+v, expected %+v", r.Spent, used)
	}
}

// Files that cannot be written end the run that is computed meanwhile, and are what is
// reported; nothing goes on afterwards.
func TestFilesFail(t *testing.T) {
	w := &writer{made: newMade(), began: map[string]chan struct{}{}}
	p := plan(w.made)
	p.Sets, p.Stages = p.Sets[:1], []string{"middle", "late"}
	w.failing = strings.Join(p.Sets[0], "+") + " middle"
	r, err := Do(context.Background(), w, p, Options{Images: w.refs})
	if r != nil || err == nil || !strings.Contains(err.Error(), "middle: the disk is full") || w.stopped != 1 || w.under != 0 || w.evaluated != 0 {
		t.Errorf("%v; %d ended, %d under way, %d evaluations", err, w.stopped, w.under, w.evaluated)
	}
}

// Parts are added up by phase, whatever run they are of, and the page says them.
func TestTally(t *testing.T) { synctest.Test(t, tally) }

// tally runs with a clock that stands, so that a busy machine adds nothing.
func tally(t *testing.T) {
	var y Tally
	see := func(phase metamer.Phase, wall, processor time.Duration) {
		y.at = y.at.Add(-wall)
		y.See(metamer.Progress{Phase: phase, Usage: metamer.Usage{Cores: 2, Processor: y.Last.Processor + processor, Memory: 3 << 20, Device: y.Last.Device + wall/4}})
	}
	y.See(metamer.Progress{Phase: metamer.Compiling, Usage: metamer.Usage{Cores: 2, Processor: time.Minute, Device: time.Hour}})
	see("start", 10*time.Second, 15*time.Second)
	see("synthesis", time.Second, 2*time.Second)
	see("compile", 9*time.Second, 18*time.Second)
	see("evaluation", 10*time.Second, 5*time.Second)
	see("evaluation", 10*time.Second, 10*time.Second)
	s := Spent{Shares: y.Shares, Cores: 2, Memory: 3 << 20, GPU: y.Last.Device - y.first.Device, Held: map[string]int{"b": 2 << 20, "a": 1 << 10}}
	for i, want := range []Share{{"compile", 20 * time.Second, 20 * time.Second}, {"synthesis", 10 * time.Second, 20 * time.Second}, {"evaluation", 10 * time.Second, 10 * time.Second}} {
		got := s.Shares[i]
		if got.Name != want.Name || got.Wall.Round(time.Second) != want.Wall || got.Processor != want.Processor {
			t.Errorf("%+v, expected %+v", got, want)
		}
	}
	for i, want := range []string{
		"2 processor cores busy: 62 % (compilation 20.0 s, 50 %; synthesis 10.0 s, 100 %; evaluation 10.0 s, 50 %)",
		"the GPU ran kernels for 25 % of the time, by its driver's samples",
		"most memory held: 3.0 MiB; weights and what is derived of them: a 1.0 KiB, b 2.0 MiB",
	} {
		if got := s.Lines(); len(got) != 3 || got[i] != want {
			t.Errorf("line %d: %q, expected %q", i, got, want)
		}
	}
	if got := (Spent{Shares: []Share{{Name: "models", Wall: time.Second}}}).Lines(); got != nil {
		t.Errorf("%q of nothing", got)
	}
	if got := (&Result{Spent: s}).Usage(); !strings.HasPrefix(got, "2 processor cores") || !strings.HasSuffix(got, "b 2.0 MiB.") || strings.Count(got, ". ") != 2 {
		t.Error(got)
	}
}
