package study

import (
	"context"
	"io/fs"
	"math"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// copying answers for JPEG copies with the mean absolute difference of their pixels.
type copying struct{ *made }

func (c copying) Evaluate(ctx context.Context, q api.Evaluation) (rows metamer.Rows, err error) {
	if !strings.HasPrefix(q.Runs[0].ID, "jpeg-") {
		return c.made.Evaluate(ctx, q)
	}
	for _, run := range q.Runs {
		for _, o := range q.Observers {
			for i := range q.Images.Len() {
				sum, px := 0.0, q.Images.Image(i)
				for k, v := range px {
					sum += math.Abs(float64(v - run.Metamers[i*len(px)+k]))
				}
				rows = append(rows, metamer.Row{Run: run.ID, Set: "x", Stage: run.Recipe.Stage, Observer: o, Member: true, Image: i, Measure: "match/relative-l2", Value: sum / float64(len(px)), Made: run.Made()},
					metamer.Row{Run: run.ID, Set: "x", Stage: run.Recipe.Stage, Observer: o, Image: i, Measure: "success"})
			}
		}
	}
	return rows, nil
}

// What members give for JPEG copies of the references is in rows, of no run, on the page,
// and in what is drawn again.
func TestYardstick(t *testing.T) {
	m := newMade()
	copies, err := jpegCopies(m.refs)
	if err != nil {
		t.Fatal(err)
	}
	differ := 0
	for i, v := range copies {
		if d := math.Abs(float64(v - m.refs.Pixels[i])); d > 0.25 {
			t.Fatalf("value %d is %v, of the reference %v", i, v, m.refs.Pixels[i])
		} else if d > 0.5/255 {
			differ++
		}
	}
	if len(copies) != len(m.refs.Pixels) || differ == 0 {
		t.Errorf("%d of %d values differ", differ, len(copies))
	}
	p := Plan{Sets: m.study.Sets[:2], Stages: []string{"late"}, Observers: []string{"vgg11"}}
	r, err := Do(context.Background(), copying{m}, p, Options{Images: m.refs})
	if err != nil {
		t.Fatal(err)
	}
	v := r.jpeg("resnet20", "late")
	if !(v > 0 && v < 0.1) || v != r.jpeg("vgg11", "late") || !math.IsNaN(r.jpeg("resnet20", "early")) || !math.IsNaN(r.jpeg("resnet20.linf8", "late")) {
		t.Errorf("%v at late", v)
	}
	for _, row := range r.Rows {
		if strings.HasPrefix(row.Measure, "jpeg-90/") && (row.Run != "" || row.Set != "" || row.Member || row.Measure != "jpeg-90/match/relative-l2") {
			t.Fatalf("%+v", row)
		}
	}
	if text := r.against(); !strings.Contains(text, "late: ") || !strings.Contains(text, "JPEG copy of the reference (quality 90) "+figure(v, "%.3f")) {
		t.Error(text)
	}
	again := &Again{Rows: r.Rows, Cards: m.study.Cards, Run: func(string) (*metamer.Run, error) { return nil, fs.ErrNotExist }}
	drawn, _, err := again.Result()
	if err != nil || drawn.jpeg("vgg11", "late") != v {
		t.Errorf("drawn again: %v", err)
	}
	p.Measures = []string{"recognizability"}
	if r, err = Do(context.Background(), copying{m}, p, Options{Images: m.refs}); err != nil || !math.IsNaN(r.jpeg("resnet20", "late")) {
		t.Errorf("a plan without match statistics: %v", err)
	}
}
