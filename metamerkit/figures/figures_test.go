package figures

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

func sample(n int, losses ...float32) (*images.Set, *metamer.Run) {
	set := &images.Set{Name: "sample", Size: 8, ClassNames: []string{"a class with a very long name"}}
	run := &metamer.Run{ID: "x", Recipe: metamer.Recipe{Stage: "late", Loss: "relative-l2", Models: []metamer.ModelRef{{Name: "m"}}, Images: metamer.ImageRef{Count: n, Size: 8}}}
	for i := range n {
		set.Names, set.Labels = append(set.Names, "i"), append(set.Labels, 0)
		run.Statistics = append(run.Statistics, metamer.MatchStatistics{Image: i, Verdict: map[bool]string{true: "pass", false: "fail"}[i%2 == 0]})
		for p := range 8 * 8 * 3 {
			set.Pixels = append(set.Pixels, float32(p%7)/7)
			run.Metamers = append(run.Metamers, float32(p%5)/5)
		}
	}
	for s, l := range losses {
		run.Trace.Step, run.Trace.Member, run.Trace.Image = append(run.Trace.Step, s), append(run.Trace.Member, 0), append(run.Trace.Image, 0)
		run.Trace.Loss = append(run.Trace.Loss, []float32{l})
	}
	return set, run
}

func TestContact(t *testing.T) {
	for _, n := range []int{1, 16, 21} {
		set, run := sample(n, 1)
		m, err := Contact("Title", set, run)
		if err != nil {
			t.Fatal(err)
		}
		blocks := (n + 15) / 16
		if h := m.Bounds().Dy(); h < blocks*2*64 {
			t.Errorf("%d images: height %d for %d blocks of two rows", n, h, blocks)
		}
		run.Recipe.Images.Count++
		if _, err := Contact("Title", set, run); err == nil {
			t.Error("a run of other images is accepted")
		}
	}
	if _, err := (Sheet{Columns: []string{"a"}, Rows: []Row{{}}}).Render(); err == nil {
		t.Error("images of size 0 are accepted")
	}
}

// Whatever the losses are, the plot is drawn or the error says why not.
func TestLoss(t *testing.T) {
	nan := float32(math.NaN())
	for name, c := range map[string]struct {
		losses []float32
		ok     bool
	}{
		"falling": {[]float32{1, .5, .2, .1}, true}, "one": {[]float32{.5}, true}, "zeros": {[]float32{0, 0, 0}, true},
		"equal": {[]float32{.3, .3}, true}, "some NaN": {[]float32{1, nan, .5}, true}, "NaN": {[]float32{nan}, false}, "none": {nil, false},
	} {
		_, run := sample(1, c.losses...)
		for _, ext := range []string{".png", ".svg", ".pdf"} {
			p := filepath.Join(t.TempDir(), "loss"+ext)
			err := SaveLoss(p, run)
			if c.ok != (err == nil) {
				t.Errorf("%s: %v", name, err)
			}
			if s, e := os.Stat(p); c.ok && (e != nil || s.Size() < 1000) {
				t.Errorf("%s: %v", name, e)
			}
		}
	}
}

// A run against other models has marks of its own, and the distances of these models behind
// a bar.
func TestContactAgainst(t *testing.T) {
	set, run := sample(3, 1)
	run.Recipe.Against = &metamer.Against{Models: metamer.Refs("o"), Stage: "late", Loss: "correlation"}
	for i := range run.Statistics {
		run.Statistics[i].Member, run.Statistics[i].Loss, run.Statistics[i].Verdict = "m", 0.04, metamer.Pass
		run.Against = append(run.Against, metamer.MatchStatistics{Image: i, Member: "o", Loss: 1.2, Verdict: []string{metamer.Fail, metamer.Pass, metamer.NotTested}[i]})
	}
	if got, want := marks(run), []Mark{Apart, NotApart, NotTested}; !slices.Equal(got, want) {
		t.Errorf("marks %v, expected %v", got, want)
	}
	if got := notes(run); got[0] != ".04 | 1.2" {
		t.Errorf("%q", got)
	}
	if got := passed(run); got != "3 of 3 pass, 1 apart" {
		t.Error(got)
	}
	if _, err := Contact("Title", set, run); err != nil {
		t.Fatal(err)
	}
}

// Figure 2 counts references, not variants, and shows the first variant of each.
func TestGalleryOfVariants(t *testing.T) {
	set, run := sample(6, 1)
	per := set.Size * set.Size * 3
	for p := range set.Pixels { // each reference twice; all metamers differ
		set.Pixels[p] = float32(p/per/2) / 3
		run.Metamers[p] = float32(p/per) / 6
	}
	set.Copies = 2
	some, kept := sample(3, 1)
	for i := range 3 {
		copy(some.Pixels[i*per:], set.Image(2*i))
		copy(kept.Metamers[i*per:(i+1)*per], run.Metamers[2*i*per:])
		kept.Statistics[i].Verdict = run.Statistics[2*i].Verdict
	}
	for _, which := range [][]int{nil, {2, 0}} {
		a, err := Gallery(&Study{}, set, which, run)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Gallery(&Study{}, some, which, kept)
		if err != nil {
			t.Fatal(err)
		}
		x, err1 := a.PNG(0)
		y, err2 := b.PNG(0)
		if err1 != nil || err2 != nil || !bytes.Equal(x, y) {
			t.Errorf("images %v: the figure of variants is another: %v %v", which, err1, err2)
		}
	}
	if _, err := Gallery(&Study{}, set, []int{3}, run); err == nil || !strings.Contains(err.Error(), "has 3") {
		t.Errorf("image 3 of three: %v", err)
	}
}
