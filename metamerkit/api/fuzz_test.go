package api

import (
	"bytes"
	"encoding/gob"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/api/apitest"
	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/table"
)

// FuzzEvent reads what a program is sent by a server.
func FuzzEvent(f *testing.F) {
	r := metamer.Recipe{Stage: "late", Images: metamer.ImageRef{Count: 1, Size: 1}}.WithDefaults()
	set := &metamer.ImageSet{Name: "x", Size: 1, Names: []string{"a"}, Labels: []int{1}, Pixels: []float32{0, .5, 1}}
	run := LightRun(&metamer.Run{ID: "r", Metamers: []float32{1}, Statistics: []metamer.MatchStatistics{{Member: "m"}}, Recipe: r})
	rows := PackRows(metamer.Rows{{Run: "r", Measure: "x", Made: &metamer.Made{}}, {Run: "r"}})
	f.Add(apitest.Encoded(f, Event{Hello: &Status{Protocol: Protocol, PID: 1}}, Event{Shown: &Shown{Text: "t", HTML: "<p>"}}, Event{Reply: &Reply{Images: LightImages(set), SHA256: set.SHA256(), Pixels: set.Pixels, Runs: []*metamer.Run{run}, Rows: rows}}))
	f.Add(apitest.Encoded(f, Event{Warning: "w"}, Event{Failed: &Failure{Text: "x", Unknown: &metamer.UnknownError{}}}))
	f.Add(apitest.Encoded(f, Event{Reply: &Reply{Study: &Result{ID: "s", Plan: []byte("{}"), Tables: []table.Table{{Title: "t"}}}, Models: []Model{{Card: &card.Card{Name: "m"}}}}}, Event{Reply: &Reply{Figure: &Figure{Data: []byte{1}}, Texts: []string{"a"}}}))
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
			if s := e.Reply.Images; s != nil {
				if CheckLight(s) == nil && len(s.Titles()) != s.Len() {
					t.Errorf("%d images have %d titles", s.Len(), len(s.Titles()))
				}
				s.Pixels = e.Reply.Pixels
				if CheckImages(s) == nil && s.Len() > 0 && len(s.Image(s.Len()-1)) != s.Size*s.Size*3 {
					t.Errorf("images of %d² with %d values", s.Size, len(s.Pixels))
				}
			}
			for _, r := range e.Reply.Runs {
				if r != nil && CheckRun(r) == nil && r.PassCount() > r.Recipe.Images.Count {
					t.Errorf("%d of %d images pass", r.PassCount(), r.Recipe.Images.Count)
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

// FuzzPreamble reads the first line of a connection: only a client's is taken, and only
// with the token.
func FuzzPreamble(f *testing.F) {
	for _, line := range []string{Preamble("secret"), Preamble(""), "GET / HTTP/1.1\r\n", "metamers-engine 6", "metamers-engine x secret\n"} {
		f.Add(line, "secret")
	}
	f.Fuzz(func(t *testing.T, line, token string) {
		if CheckPreamble(line, token) == nil && (!strings.HasPrefix(line, Magic) || !strings.HasSuffix(strings.TrimSuffix(line, "\n"), token)) {
			t.Errorf("%q is taken with the token %q", line, token)
		}
	})
}
