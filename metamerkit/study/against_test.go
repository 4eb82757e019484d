package study

import (
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
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
