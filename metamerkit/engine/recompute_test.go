package engine

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/external"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/paths/pathstest"
)

// Metamers made elsewhere have the measures that testdata/scripts/recompute.py
// computes with PyTorch and NumPy, by five networks at three stages.
func TestRecomputedOutside(t *testing.T) {
	if os.Getenv("METAMERS_DATA") == "" {
		t.Setenv("METAMERS_DATA", "../../../shared/data")
	}
	if _, err := paths.Find("weights/resnet2b.pth"); err != nil {
		pathstest.Missing(t, "no weights here: %v", err)
	}
	data, err := os.ReadFile("../../testdata/golden/recompute/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]map[string]map[string]float64 // observer → stage → measure
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	q := Evaluation{Measures: observed(Measures), MinImages: 8, Similarities: evaluate.Similarities, Bootstrap: metamer.Bootstrap{Resamples: 100}}
	for _, stage := range metamer.Stages {
		run, refs, _, err := external.Read(external.Source{Metamers: "../../testdata/golden/recompute/golden.npz", Name: "noise", Stage: stage})
		if err != nil {
			t.Fatal(err)
		}
		q.Runs, q.Images = append(q.Runs, run), refs
	}
	for name := range want {
		q.Observers = append(q.Observers, name)
	}
	rows, err := New(backendtest.Open(t, backend.XLA)).Evaluate(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	compared, worst := 0, 0.0
	for _, r := range rows {
		w, ok := want[r.Observer][r.Stage][r.Measure]
		if !ok || r.Image >= 0 {
			continue
		}
		compared++
		off := math.Abs(r.Value-w) / max(1, math.Abs(w))
		if worst = max(worst, off); !(off <= 1e-3) {
			t.Errorf("%s by %s at %s: %v, PyTorch and NumPy have %v", r.Measure, r.Observer, r.Stage, r.Value, w)
		}
	}
	t.Logf("%d values, largest difference %.1e", compared, worst)
	if expected := 5 * 3 * 12; compared != expected {
		t.Errorf("%d values compared, expected %d", compared, expected)
	}
}
