package study

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/ensemble-metamers/metamers/metamerkit/figures"
)

// Names of groups, of models and patterns in a plan's sets.
func TestSets(t *testing.T) {
	m := newMade()
	p, err := Parse([]byte(`
groups:
  robust CNNs: ["cnn:*.linf8"]
  two: [twenty, vgg11]
sets:
  - "cnn:*"
  - robust CNNs
  - two
  - [resnet20, "transformer:*"]
  - twenty
observers: ["*.linf8", twenty]`))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.Resolved(context.Background(), m, false); err == nil || !strings.Contains(err.Error(), "resnet20 appears twice") {
		t.Error(err) // as one of cnn:*, and by its alias
	}
	p.Sets = p.Sets[:4]
	got, missing, err := p.Resolved(context.Background(), m, false)
	if err != nil || missing != nil {
		t.Fatal(missing, err)
	}
	want := [][]string{{"resnet20"}, {"vgg11"}, {"resnet20.linf8"}, {"vgg11.linf8"}, {"resnet20.linf8", "vgg11.linf8"}, {"resnet20", "vgg11"}, {"resnet20", "vit_tiny_patch16_224.augreg_in21k_ft_in1k", "cct_small.linf8"}}
	if !slices.EqualFunc(got.Sets, want, slices.Equal) {
		t.Errorf("%v", got.Sets)
	}
	if l := got.Label(want[4]); l != "robust CNNs" || got.Label(want[6]) != strings.Join(want[6], " + ") {
		t.Error(l)
	}
	if !slices.Equal(got.Observers, []string{"resnet20.linf8", "vgg11.linf8", "cct_small.linf8", "resnet20"}) {
		t.Error(got.Observers)
	}
	// A plan of a cell names groups as sets of one.
	cell := Plan{Groups: p.Groups, Sets: [][]string{{"two"}, {"robust CNNs"}, {"twenty"}}}
	of, _, err := cell.Resolved(context.Background(), m, false)
	if err != nil || !slices.EqualFunc(of.Sets, [][]string{want[5], want[4], {"resnet20"}}, slices.Equal) || cell.Sets[0][0] != "two" {
		t.Errorf("%v %v, and before %v", of.Sets, err, cell.Sets)
	}
	// Written out, as for workers elsewhere, it is read as the same plan.
	text, err := yaml.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Parse(text)
	if err != nil || !slices.EqualFunc(back.Sets, want, slices.Equal) || back.Label(want[4]) != "robust CNNs" {
		t.Errorf("%v %v\n%s", back.Sets, err, text)
	}
	s := &figures.Study{Names: got.names(), Cards: m.study.Cards}
	if s.Label(want[5]) != "two" || figures.Members(want[5]) != "resnet20 + vgg11" {
		t.Error(s.Label(want[5]), figures.Members(want[5]))
	}

	// What is not here is named with its sets, or left out where that is asked for.
	m.missing = "vgg11.linf8"
	_, err = Do(context.Background(), m, p, Options{Images: m.refs})
	var l *MissingModelsError
	if !errors.As(err, &l) || len(l.Missing) != 1 || !slices.Equal(l.Missing[0].Sets, []string{"vgg11.linf8", "robust CNNs"}) || !strings.Contains(err.Error(), "get vgg11.linf8") || m.asked > 0 {
		t.Errorf("%v after %d requests", err, m.asked)
	}
	warned := ""
	r, err := Do(context.Background(), m, Plan{Sets: m.study.Sets, Observers: m.study.Observers}, Options{Images: m.refs, Available: true, Warn: func(s string) { warned += s }})
	if err != nil || len(r.Plan.Sets) != len(m.study.Sets)-1 || len(r.Plan.Observers) != len(m.study.Observers)-1 || !strings.Contains(warned, "left out") {
		t.Errorf("%v %q %+v", err, warned, r)
	}
	p.Sets = append(p.Sets, []string{"*.linf9"})
	if _, _, err := p.Resolved(context.Background(), m, false); err == nil || !strings.Contains(err.Error(), "*.linf9") {
		t.Error(err)
	}
	if got, _, err := p.Resolved(context.Background(), m, true); err != nil || len(got.Sets) != 5 {
		t.Errorf("%+v %v", got, err)
	}
	for name, text := range map[string]string{
		"unused":  "groups: {zwo: [c], one: [a], two: [b], zig: [d], zag: [e]}\nsets: [one]",
		"number":  "sets: [[1]]",
		"mapping": "sets: [{a: b}]",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), map[string]string{"unused": "two", "number": "1", "mapping": "names"}[name]) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
