package study

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// A run of one model whose speed is not known teaches it: the next one is forecast, also after
// the speeds were read again, and takes as many times as long as it has images and steps.
func TestOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "speeds.json")
	speeds, err := OpenSpeeds(path, "here")
	if err != nil {
		t.Fatal(err)
	}
	set := &images.Set{Name: "x", Size: 8, Names: make([]string, 4), Labels: make([]int, 4)}
	r := metamer.Recipe{Models: []metamer.ModelRef{{Name: "resnet20"}}, Stage: "late", Steps: 10, Optimizer: metamer.Optimizer{Name: "fast"}}.WithDefaults()
	o := NewOne(r, set, speeds)
	if d, known := o.Expected(); known {
		t.Error("known before anything ran:", d)
	}
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(s float64) time.Time { return began.Add(time.Duration(s * float64(time.Second))) }
	o.began = began
	o.watch = watch{start: at(5), first: at(6), firstStep: 1, last: at(15), stepsOver: 9, after: at(15), files: at(17), each: []float64{1, 1, 1, 1, 1, 1, 1, 1, 1}}
	run := &metamer.Run{Recipe: r.Chosen("lbfgs")}
	run.Recipe.Images, run.Recipe.Batch = metamer.ImageRef{Count: 4, Size: 8}, 4
	if err := o.Learn(run); err != nil {
		t.Fatal(err)
	}
	if speeds, err = OpenSpeeds(path, "here"); err != nil {
		t.Fatal(err)
	}
	d, known := NewOne(r, set, speeds).Expected()
	if s := d.Seconds(); !known || s < 17 || s > 18 { // 5 of compilation, 10 steps, 2 of match statistics, files
		t.Error(d, known)
	}
	r.Steps = 40
	if longer, _ := NewOne(r, set, speeds).Expected(); (longer - d).Round(time.Millisecond) != 30*time.Second {
		t.Error("of 30 more steps:", longer-d)
	}
	r.Batch = metamer.AutoBatch
	if d, known := NewOne(r, set, speeds).Expected(); known {
		t.Error("of a batch that nobody chose yet:", d)
	}
}
