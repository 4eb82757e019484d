package desk

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/errand"
	"github.com/ensemble-metamers/metamers/metamerkit/errand/errandtest"
	"github.com/ensemble-metamers/metamers/metamerkit/figures/figurestest"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/study"
)

// nobody is an engine that has nothing to answer, and looks at what it is asked.
type nobody struct{ t *testing.T }

var errNobody = errors.New("nobody")

func (n nobody) Synthesize(context.Context, api.Synthesis) (*metamer.Run, error) {
	n.t.Error("synthesis without a store")
	return nil, errNobody
}

func (n nobody) Evaluate(_ context.Context, q api.Evaluation) (metamer.Rows, error) {
	for _, r := range q.Runs {
		if r == nil {
			n.t.Error("an empty run")
		}
	}
	if s := q.Images; s != nil && len(s.Pixels) != s.Len()*s.Size*s.Size*3 {
		n.t.Errorf("images of %d² with %d values", s.Size, len(s.Pixels))
	}
	return nil, errNobody
}

func (n nobody) Batch(_ context.Context, q api.Batch) (int, error) { return min(q.Count, 5), nil }

func (n nobody) Models(context.Context) ([]api.Model, error) { return nil, nil }

// FuzzErrand does what a desk is asked by a program, without a store (so no run is made)
// and without opening files; what is drawn is small.
func FuzzErrand(f *testing.F) {
	_, runs := figurestest.Runs([]string{"a"})
	small := &metamer.ImageSet{Name: "x", Size: 2, Names: []string{"a"}, Labels: []int{1}, Pixels: make([]float32, 12)}
	run := *runs[0]
	run.Recipe.Images, run.Metamers, run.Start = metamer.ImageRef{Name: "x", Count: 1, Size: 2}, make([]float32, 12), nil
	run.Statistics = []metamer.MatchStatistics{{Member: "a", Verdict: "pass"}}
	run.Trace = metamer.Trace{Step: []int{0, 1}, Member: []int{0, 0}, Image: []int{0, 0}, Loss: [][]float32{{1}, {2}}}
	astray := run
	astray.Statistics = []metamer.MatchStatistics{{Member: "a", Image: 5}, {Member: "a", Image: -1}}
	plan, err := json.Marshal(study.Plan{Sets: study.ModelSets{{"a"}}}.WithDefaults())
	if err != nil {
		f.Fatal(err)
	}
	for _, q := range []errand.Request{
		{Models: &errand.Models{All: true}},
		{Synthesize: &errand.Synthesis{Recipe: run.Recipe, Images: errand.PackImages(small)}},
		{Evaluate: &errand.Evaluation{Images: errand.PackImages(small), Runs: []*errand.Run{errand.PackRun(&run)}, Observers: []string{"a"}}},
		{Study: &errand.Study{Plan: plan}},
		{Recall: &errand.Recall{ID: "x", Rows: true, Figure: &errand.Format{Name: "figure3", Kind: "png"}}},
		{Draw: &errand.Drawing{Sheet: "t", Images: errand.PackImages(small), Run: errand.PackRun(&run)}},
		{Draw: &errand.Drawing{Sheet: "evidence of images that are not there", Images: errand.PackImages(small), Run: errand.PackRun(&astray)}},
		{Draw: &errand.Drawing{Sheet: "t", Images: errand.PackImages(small), PerLine: 1}},
		{Draw: &errand.Drawing{Loss: &errand.Format{Kind: "svg"}, Run: errand.PackRun(&run)}, Notebook: true},
	} {
		f.Add(errandtest.Encoded(f, q))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d := &Desk{Engine: nobody{t}}
		dec := gob.NewDecoder(bytes.NewReader(data))
		for range 10 {
			var q errand.Request
			if dec.Decode(&q) != nil {
				return
			}
			q.Store, q.Open = "", nil
			if q.Draw != nil && q.Draw.Loss != nil {
				q.Draw.Loss.DPI, q.Draw.Loss.Kind = 0, "svg"
			}
			reply, err := d.Do(t.Context(), q, func(errand.Event) {})
			if reply == nil && err == nil {
				t.Error("neither reply nor error")
			}
		}
	})
}
