package server

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/api/apitest"
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

func (n nobody) Distort(context.Context, api.Distorting) ([]api.Distortions, error) {
	return nil, errNobody
}

func (n nobody) Batch(_ context.Context, q api.Batch) (int, error) { return min(q.Count, 5), nil }

func (n nobody) Models(context.Context) ([]api.Model, error) { return nil, nil }

// FuzzRequest does what a handler is asked by a program, without a store (so no run is
// made) and without opening files; what is drawn is small.
func FuzzRequest(f *testing.F) {
	_, runs := figurestest.Runs([]string{"a"})
	small := &metamer.ImageSet{Name: "x", Size: 2, Names: []string{"a"}, Labels: []int{1}, Pixels: make([]float32, 12)}
	ref := metamer.ImageRef{Name: "x", SHA256: small.SHA256()}
	run := *runs[0]
	run.Recipe.Images, run.Metamers, run.Start = metamer.ImageRef{Name: "x", Count: 1, Size: 2, SHA256: ref.SHA256}, make([]float32, 12), nil
	run.Statistics = []metamer.MatchStatistics{{Member: "a", Verdict: "pass"}}
	run.Trace = metamer.Trace{Step: []int{0, 1}, Member: []int{0, 0}, Image: []int{0, 0}, Loss: [][]float32{{1}, {2}}}
	plan, err := json.Marshal(study.Plan{Sets: study.ModelSets{{"a"}}}.WithDefaults())
	if err != nil {
		f.Fatal(err)
	}
	put := api.Request{Put: &api.Put{Images: *api.LightImages(small), Pixels: small.Pixels}}
	r := run.Recipe
	r.Images = ref
	for _, q := range []api.Request{
		{Models: &api.Models{All: true}},
		{Synthesize: &api.Synthesis{Recipe: r}},
		{Evaluate: &api.Evaluation{Runs: []*metamer.Run{{ID: run.ID}}, Observers: []string{"a"}}},
		{Study: &api.Study{Plan: plan, Images: &ref}},
		{Parts: &api.StudyParts{ID: "x", Rows: true, Figure: &api.Format{Name: "figure3", Kind: "png"}}},
		{Draw: &api.Drawing{Sheet: "t", Images: ref, Run: run.ID}},
		{Draw: &api.Drawing{Sheet: "t", Images: ref, PerLine: 1}},
		{Draw: &api.Drawing{Loss: &api.Format{Kind: "svg"}, Run: run.ID}, Notebook: true},
		{Pixels: &api.Pixels{Images: ref}},
		{Pixels: &api.Pixels{Run: run.ID}},
		{Copy: &api.Copy{Run: "../x"}},
		{Hold: &api.Nothing{Set: true}},
	} {
		f.Add(apitest.Encoded(f, put, q))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h := New(nobody{t})
		h.runs.Put(run.ID, &run)
		dec := gob.NewDecoder(bytes.NewReader(data))
		for range 10 {
			var q api.Request
			if dec.Decode(&q) != nil {
				return
			}
			q.Store, q.Open = "", nil
			if q.Draw != nil && q.Draw.Loss != nil {
				q.Draw.Loss.DPI, q.Draw.Loss.Kind = 0, "svg"
			}
			reply, err := h.Do(t.Context(), q, func(api.Event) {})
			if reply == nil && err == nil {
				t.Error("neither reply nor error")
			}
		}
	})
}
