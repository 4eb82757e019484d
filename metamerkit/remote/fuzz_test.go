package remote

import (
	"bytes"
	"encoding/gob"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/errand"
	"github.com/ensemble-metamers/metamers/metamerkit/errand/errandtest"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// FuzzRequest decodes what a server is sent.
func FuzzRequest(f *testing.F) {
	set := &images.Set{Name: "x", Size: 1, Names: []string{"a"}, Labels: []int{1}, Pixels: []float32{0, 0.5, 1}}
	f.Add(errandtest.Encoded(f, packSynthesis(api.Synthesis{Recipe: metamer.Recipe{Stage: "late", Steps: 3}.WithDefaults(), Images: set})))
	f.Add(errandtest.Encoded(f, packEvaluation(api.Evaluation{Images: set, Runs: []*metamer.Run{{ID: "r", Metamers: []float32{1}}}})))
	f.Fuzz(func(t *testing.T, data []byte) {
		var s synthesis
		if gob.NewDecoder(bytes.NewReader(data)).Decode(&s) == nil {
			s.Store = "" // opening one makes its folder
			if q, err := s.ask(); err == nil && q.Images != nil && len(q.Images.Pixels) != q.Images.Len()*q.Images.Size*q.Images.Size*3 {
				t.Errorf("images of %d² with %d values", q.Images.Size, len(q.Images.Pixels))
			}
		}
		var e evaluation
		if gob.NewDecoder(bytes.NewReader(data)).Decode(&e) == nil {
			if q, err := e.ask(); err == nil {
				for _, r := range q.Runs {
					if r == nil {
						t.Error("an empty run")
					}
				}
			}
		}
	})
}

// FuzzEvents decodes what a client is sent.
func FuzzEvents(f *testing.F) {
	run := &metamer.Run{ID: "r", Metamers: []float32{1}, Recipe: metamer.Recipe{Stage: "late"}.WithDefaults()}
	f.Add(errandtest.Encoded(f, event{Alive: true}, event{Warning: "w"}, event{Progress: &progress{Progress: metamer.Progress{Phase: "x"}, Preview: errand.Floats{1}}}, event{Run: errand.PackRun(run)}))
	f.Add(errandtest.Encoded(f, event{Failed: &errand.Failure{Text: "x", Unknown: &metamer.UnknownError{}}}, event{Rows: &errand.Rows{Rows: metamer.Rows{{Run: "a"}}}}, event{Models: &modelList{}}))
	f.Add(errandtest.Encoded(f, Status{Protocol: Protocol, Models: []string{"a"}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := gob.NewDecoder(bytes.NewReader(data))
		for range 100 {
			var e event
			if d.Decode(&e) != nil {
				break
			}
			if e.Run != nil {
				_, _ = e.Run.Unpack()
			}
			if e.Failed != nil {
				_ = e.Failed.Error()
				_ = e.Failed.Unwrap()
			}
		}
		var st Status
		_ = gob.NewDecoder(bytes.NewReader(data)).Decode(&st)
	})
}
