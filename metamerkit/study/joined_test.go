package study

import (
	"slices"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Two runs of one set at one stage are refused by name and by what differs, before
// anything is measured.
func TestTwoRuns(t *testing.T) {
	m, _ := identified()
	one := m.runs[0]
	for want, do := range map[string]func(*metamer.Recipe){
		"differ in steps (":                                     func(r *metamer.Recipe) { r.Steps++ },
		"differ in seed (0 and 3): give one of them":            func(r *metamer.Recipe) { r.Seed = 3 },
		"differ in no setting, but in what computed them: give": func(*metamer.Recipe) {},
	} {
		two := *one
		two.ID = "another"
		do(&two.Recipe)
		if err := (&Again{}).Compatible(one, &two); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), one.ID+" and another are two runs of {") {
			t.Errorf("%v, expected %q", err, want)
		}
		if err := (&Again{Rows: m.study.Rows}).Compatible(&two); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("rows and a run: %v, expected %q", err, want)
		}
	}
	if err := (&Again{Rows: m.study.Rows}).Compatible(m.runs...); err != nil {
		t.Error(err)
	}
}

// Rows of other images are not joined into one curve; other settings are named.
func TestJoined(t *testing.T) {
	m, _ := identified()
	change := func(do func(*metamer.Recipe)) metamer.Rows {
		rows := slices.Clone(m.study.Rows)
		for i, row := range rows {
			if row.Stage != "late" || row.Made == nil {
				continue
			}
			r, err := row.Made.Recipe()
			if err != nil {
				t.Fatal(err)
			}
			do(&r)
			rows[i].Made = r.Made()
		}
		return rows
	}
	for name, c := range map[string]struct {
		do   func(*metamer.Recipe)
		want []string
	}{
		"pixels": {func(r *metamer.Recipe) { r.Images.SHA256 = strings.Repeat("ab", 32) }, []string{"differ in pixels", "SHA-256 abababababab…"}},
		"size":   {func(r *metamer.Recipe) { r.Images.Size = 64 }, []string{"differ in size", "of 16²", "of 64²"}},
		"number": {func(r *metamer.Recipe) { r.Images.Name, r.Images.Count = "photos:9", 9 }, []string{"differ in number of images", "blobs (6 images", "photos:9 (9 images"}},
	} {
		_, _, err := (&Again{Rows: change(c.do), Cards: m.study.Cards}).Result()
		for _, want := range append(c.want, "cannot be shown in one curve", "0000000000000001") {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, expected %q", name, err, want)
			}
		}
	}
	for name, c := range map[string]struct {
		do   func(*metamer.Recipe)
		want string
	}{
		"null":      {func(r *metamer.Recipe) { r.Null.Name = "cifar10:99" }, "null name (photos:64 in 14 runs, cifar10:99 in 7 runs)"},
		"optimiser": {func(r *metamer.Recipe) { r.Optimizer.Name = "adam" }, "optimizer name (pgd in 14 runs, adam in 7 runs)"},
		"start":     {func(r *metamer.Recipe) { r.Start.Kind = "uniform" }, "start kind (noise in 14 runs, uniform in 7 runs)"},
		"nothing":   {func(*metamer.Recipe) {}, ""},
	} {
		r, notes, err := (&Again{Rows: change(c.do), Cards: m.study.Cards}).Result()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		said, caption := strings.Join(notes, "\n"), r.Study().Settings
		if c.want == "" && (said != "" || strings.Contains(caption, "differ")) || !strings.Contains(said, c.want) || !strings.Contains(caption, c.want) {
			t.Errorf("%s: notes %q, caption %q, expected %q", name, said, caption, c.want)
		}
	}
}
