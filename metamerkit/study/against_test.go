package study

import (
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// A plan names models to part from by names, and says them again as it read them.
func TestPlanAgainst(t *testing.T) {
	p, err := Parse([]byte("sets: [[a], [b]]\nsettings: {against: {models: [c, d], stage: middle, level: 0.1}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	r := p.Recipe(p.Sets[1], "late")
	if a := r.Against; !slices.Equal(a.Names(), []string{"c", "d"}) || a.Stage != "middle" || a.Level != 0.1 || a.Loss != "correlation" || a.Every != 10 {
		t.Errorf("%+v", a)
	}
	if got := p.Describe(); !strings.Contains(got, "against {c, d} at middle") {
		t.Error(got)
	}
	text, err := yaml.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(text)
	if err != nil || again.Recipe(p.Sets[1], "late").ID() != r.ID() {
		t.Errorf("%v\n%s", err, text)
	}
	if _, err := Parse([]byte("sets: [[a]]\nsettings: {against: {models: [a]}}\n")); err == nil || !strings.Contains(err.Error(), "appears twice") {
		t.Errorf("a set against itself: %v", err)
	}
}

// A plan gives the number of variants, or more of what they are.
func TestPlanVariants(t *testing.T) {
	for text, want := range map[string]metamer.Variants{
		"3": {Count: 3, Metric: "pixels", Every: 10}, "{count: 2, metric: none}": {Count: 2, Metric: "none"}, "{count: 2, level: 0.1}": {Count: 2, Metric: "pixels", Level: 0.1, Every: 10},
	} {
		p, err := Parse([]byte("sets: [[a]]\nsettings: {variants: " + text + "}\n"))
		if err != nil {
			t.Fatal(err)
		}
		r := p.Recipe(p.Sets[0], "late")
		if *r.Variants != want || r.Batch%want.Count != 0 {
			t.Errorf("%s: %+v in batches of %d, expected %+v", text, r.Variants, r.Batch, want)
		}
		again, err := yaml.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if q, err := Parse(again); err != nil || q.Recipe(q.Sets[0], "late").ID() != r.ID() {
			t.Errorf("%v\n%s", err, again)
		}
	}
	if _, err := Parse([]byte("sets: [[a]]\nsettings: {variants: 1}\n")); err == nil || !strings.Contains(err.Error(), "expected at least 2") {
		t.Errorf("one variant: %v", err)
	}
}

// againstRun has two images: both are metamers for the member a, the first one also for b.
func againstRun() *metamer.Run {
	null := metamer.Null{Set: "photos:64", Pairs: 2016, Pearson: 0.9, Spearman: 0.8, SNR: 10}
	run := &metamer.Run{ID: "x", Recipe: metamer.Recipe{Stage: "late", Loss: "relative-l2", Models: metamer.Refs("a"), Images: metamer.ImageRef{Count: 2, Size: 8},
		Against: &metamer.Against{Models: metamer.Refs("b"), Stage: "middle", Loss: "correlation"}}}
	null.Member = "a"
	run.Nulls = []metamer.Null{null}
	null.Member, null.Pearson = "b", 0.7
	run.AgainstNulls = []metamer.Null{null}
	for i, verdict := range []string{metamer.Pass, metamer.Fail} {
		run.Statistics = append(run.Statistics, metamer.MatchStatistics{Image: i, Member: "a", Loss: 0.1, Pearson: 0.99, Verdict: metamer.Pass, SameClass: true})
		run.Against = append(run.Against, metamer.MatchStatistics{Image: i, Member: "b", Loss: 1.5, Pearson: -0.5, Verdict: verdict})
	}
	run.Trace = metamer.Trace{Step: []int{0, 0}, Member: []int{0, 1}, Image: []int{0, 0}, Loss: [][]float32{{1, 1}, {0.5, 0.5}}}
	return run
}

// The table of match statistics shows models that a run is against behind its members, at
// their own stage.
func TestMatchAgainst(t *testing.T) {
	r := &Result{Plan: Plan{Sets: [][]string{{"a"}}, Stages: []string{"late"}}, Runs: []*metamer.Run{againstRun()}}
	got := r.Match().Markdown() + r.Match().Caption
	for _, want := range []string{"| a | late | a | 2 of 2 |", "| a | middle | against b | 1 of 2 apart |", "-0.500", "0.700", "none for any of these models"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if v := againstRun().Verdict(); v != "2 of 2 images are metamers for every member; 1 of 2 are metamers for every member and for none of {b} (share 0.50, 95 % interval 0.09–0.91)" {
		t.Error(v)
	}
	f, err := figures.LossFigure(againstRun())
	if err != nil || f.Title == "" {
		t.Errorf("loss: %v", err)
	}
}
