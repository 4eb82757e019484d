package study

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// bench answers as made does, but makes the third run of a plan only when the first is
// being evaluated, and evaluates that only when the third is being made.
type bench struct {
	*made
	mu     sync.Mutex
	third  chan struct{}
	first  chan struct{}
	once   sync.Once
	fails  bool // the first evaluation does
	calls  int
	ended  int // runs that ctx ended
	making int
}

func newBench() *bench {
	return &bench{made: newMade(), third: make(chan struct{}), first: make(chan struct{})}
}

func (b *bench) Synthesize(ctx context.Context, q api.Synthesis) (*metamer.Run, error) {
	b.mu.Lock()
	b.making++
	n := b.making
	b.mu.Unlock()
	if n == 3 {
		close(b.third)
		select {
		case <-b.first: // hangs where evaluations wait for all runs
		case <-ctx.Done():
		}
	}
	if b.fails && n == 3 {
		<-ctx.Done()
		b.mu.Lock()
		b.ended++
		b.mu.Unlock()
		return nil, ctx.Err()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.made.Synthesize(ctx, q)
}

func (b *bench) Evaluate(ctx context.Context, q api.Evaluation) (metamer.Rows, error) {
	b.once.Do(func() {
		<-b.third
		close(b.first)
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls++
	if b.fails {
		return nil, errors.New("no memory")
	}
	q.Warn("a metric is left out")
	return b.made.Evaluate(ctx, q)
}

// Runs are evaluated beside the steps of those behind them, and their rows are those of one
// evaluation of all.
func TestEvaluateConcurrently(t *testing.T) {
	b := newBench()
	var warned []string
	r, err := Do(context.Background(), b, plan(b.made), Options{Images: b.refs, Warn: func(text string) { warned = append(warned, text) }})
	if err != nil {
		t.Fatal(err)
	}
	if b.calls < 2 || len(warned) != 1 {
		t.Errorf("%d evaluations, warnings %q", b.calls, warned)
	}
	whole, err := b.made.Evaluate(context.Background(), api.Evaluation{Runs: r.Runs})
	if err != nil {
		t.Fatal(err)
	}
	count := func(rows metamer.Rows) map[string]int {
		n := map[string]int{}
		for _, row := range rows {
			n[row.Set+" "+row.Stage+" "+row.Observer+" "+row.Measure]++
		}
		return n
	}
	if len(r.Rows) != len(whole) || !reflect.DeepEqual(count(r.Rows), count(whole)) {
		t.Errorf("%d rows, expected the %d of one evaluation", len(r.Rows), len(whole))
	}
}

// lagging evaluates slowly.
type lagging struct {
	*made
	mu          sync.Mutex
	began, over int // runs, and runs whose evaluation is over
	most        int // runs that were begun and not evaluated
}

func (l *lagging) Synthesize(ctx context.Context, q api.Synthesis) (*metamer.Run, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.began++
	l.most = max(l.most, l.began-l.over)
	return l.made.Synthesize(ctx, q)
}

func (l *lagging) Evaluate(ctx context.Context, q api.Evaluation) (metamer.Rows, error) {
	time.Sleep(20 * time.Millisecond)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !strings.HasPrefix(q.Runs[0].ID, jpegPrefix[:4]) { // of the plan, not of JPEG copies
		l.over += len(q.Runs)
	}
	return l.made.Evaluate(ctx, q)
}

// Evaluations do not lag behind: beside the two runs that are under way there are two that
// are not evaluated.
func TestKeepUp(t *testing.T) {
	l := &lagging{made: newMade()}
	r, err := Do(context.Background(), l, plan(l.made), Options{Images: l.refs})
	if err != nil {
		t.Fatal(err)
	}
	if l.over != len(r.Runs) || len(r.Runs) < 6 || l.most > 4 {
		t.Errorf("%d runs, %d evaluated, up to %d of them not yet", len(r.Runs), l.over, l.most)
	}
}

// An evaluation that fails ends the run that is made, and is what is reported.
func TestEvaluateConcurrentlyFails(t *testing.T) {
	b := newBench()
	b.fails = true
	r, err := Do(context.Background(), b, plan(b.made), Options{Images: b.refs})
	if r != nil || err == nil || !strings.Contains(err.Error(), "evaluating: no memory") || b.ended != 1 || b.calls != 1 {
		t.Errorf("%v; %d runs ended, %d evaluations", err, b.ended, b.calls)
	}
}

// What Ctrl-C ends is reported as the run's.
func TestEvaluateConcurrentlyEnds(t *testing.T) {
	m := newMade()
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	_, err := Do(ctx, m, plan(m), Options{Images: m.refs, Ran: func(*metamer.Run) {
		if n++; n == 2 {
			m.failAt = m.asked + 1
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
