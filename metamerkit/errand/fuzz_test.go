package errand

import (
	"bytes"
	"encoding/gob"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/errand/errandtest"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/table"
)

// FuzzEvent reads what a program is sent by a desk.
func FuzzEvent(f *testing.F) {
	r := metamer.Recipe{Stage: "late", Images: metamer.ImageRef{Count: 1, Size: 1}}.WithDefaults()
	set := PackImages(&metamer.ImageSet{Name: "x", Size: 1, Names: []string{"a"}, Labels: []int{1}, Pixels: []float32{0, .5, 1}})
	run := PackRun(&metamer.Run{ID: "r", Metamers: []float32{1}, Statistics: []metamer.MatchStatistics{{Member: "m"}}, Recipe: r})
	rows := PackRows(metamer.Rows{{Run: "r", Measure: "x", Made: &metamer.Made{}}, {Run: "r"}})
	f.Add(errandtest.Encoded(f, Event{Hello: &Hello{Protocol: Protocol, PID: 1}}, Event{Shown: &Shown{Text: "t", HTML: "<p>"}}, Event{Reply: &Reply{Images: set, Runs: []*Run{run}, Rows: rows}}))
	f.Add(errandtest.Encoded(f, Event{Warning: "w"}, Event{Failed: &Failure{Text: "x", Unknown: &metamer.UnknownError{}}}))
	f.Add(errandtest.Encoded(f, Event{Reply: &Reply{Study: &Result{ID: "s", Plan: []byte("{}"), Tables: []table.Table{{Title: "t"}}}, Models: []Model{{Card: &card.Card{Name: "m"}}}}}, Event{Reply: &Reply{Figure: &Figure{Data: []byte{1}}, Texts: []string{"a"}}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := gob.NewDecoder(bytes.NewReader(data))
		for range 100 {
			var e Event
			if d.Decode(&e) != nil {
				return
			}
			if e.Failed != nil {
				_ = e.Failed.Error()
				_ = e.Failed.Unwrap()
			}
			if e.Reply == nil {
				continue
			}
			if s, err := e.Reply.Images.Set(); err == nil && s != nil && len(s.Pixels) != s.Len()*s.Size*s.Size*3 {
				t.Errorf("images of %d² with %d values", s.Size, len(s.Pixels))
			}
			for _, r := range e.Reply.Runs {
				if run, err := r.Unpack(); err == nil && run.PassCount() > run.Recipe.Images.Count {
					t.Errorf("%d of %d images pass", run.PassCount(), run.Recipe.Images.Count)
				}
			}
			if e.Reply.Rows == nil {
				continue
			}
			rows, err := e.Reply.Rows.Unpack()
			for i, r := range rows {
				if of := e.Reply.Rows.Of[i]; err == nil && of >= 0 && r.Made != &e.Reply.Rows.Made[of] {
					t.Errorf("row %d was made otherwise", i)
				}
			}
		}
	})
}
