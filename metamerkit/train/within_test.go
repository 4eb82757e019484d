package train

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
)

// A training within a time ends its schedule then, at the smallest rate and with a
// checkpoint, and asked for again it is done.
func TestWithin(t *testing.T) {
	b := backendtest.Open(t, backend.XLA)
	dir := t.TempDir()
	shares := []float64{}
	job := Job{Backend: b, Card: tiny("plain_cifar", `{"widths":[4,6],"depth":1,"classes":4}`, 8), Train: gratings(1, 120, 8), Dir: dir,
		Options:  Options{Epochs: 100000, Within: 5 * time.Second, Batch: 32, HeldOut: 16, Attacked: 16, Average: "ema:0.9"},
		Progress: func(p Progress) { shares = append(shares, p.Share) }}
	// A clock that goes on by 10 ms whenever it is read: the schedule does not depend on
	// how fast this machine compiles and computes.
	var clock atomic.Int64
	job.now = func() time.Time { return time.UnixMilli(clock.Add(10)) }
	r, err := Run(context.Background(), job)
	if err != nil {
		t.Fatal(err)
	}
	last := r.Points[len(r.Points)-1]
	if r.Steps < 2 || r.Steps != len(shares) || last.Step != r.Steps || last.Rate > 1e-3 {
		t.Errorf("%d steps, %d reports, last point %+v: expected a rate near 0", r.Steps, len(shares), last)
	}
	for i, s := range shares {
		if s > 1 || i > 0 && s < shares[i-1] {
			t.Errorf("share %v after step %d, %v before", s, i+1, shares[max(i-1, 0)])
			break
		}
	}
	if shares[len(shares)-1] != 1 {
		t.Errorf("ended at a share of %v", shares[len(shares)-1])
	}
	if len(r.Events) != 1 || !strings.Contains(r.Events[0], "within 5s") || len(r.Devices) != 1 {
		t.Errorf("events %q, devices %q", r.Events, r.Devices)
	}
	again, err := Run(context.Background(), job)
	if err != nil || again.Steps != r.Steps || len(again.Points) != len(r.Points) || len(again.Events) != 1 {
		t.Errorf("asked for again: %+v, %v", again, err)
	}
	job.Options.Average = "swa:0.5"
	if _, err := Run(context.Background(), job); err == nil || !strings.Contains(err.Error(), "within") {
		t.Errorf("with an average over a share of the steps: %v", err)
	}
}
