package answers

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/people"
	"github.com/ensemble-metamers/metamers/metamerkit/people/peopletest"
)

// design has two runs and the references as conditions, and 16 references, of which 4 are
// held out.
func design(t *testing.T, change func(*people.Design)) *people.Design {
	t.Helper()
	settings := peopletest.Settings()
	if change != nil {
		change(&settings)
	}
	d, _, err := people.New(settings, peopletest.Source(16))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// write keeps the files of participants, each made by choose.
func write(t *testing.T, d *people.Design, n int, choose func(participant, stimulus int) int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for p := 1; p <= n; p++ {
		text := peopletest.File(d, p, func(i int) int { return choose(p, i) })
		if err := os.WriteFile(filepath.Join(dir, d.FileName(p)), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func right(d *people.Design) func(int, int) int {
	return func(_, i int) int { return d.Stimuli[i].Answer }
}

// Answers come back as what was answered: one condition right, one wrong, one half.
func TestRows(t *testing.T) {
	d := design(t, nil)
	dir := write(t, d, 6, func(p, i int) int {
		s := d.Stimuli[i]
		if s.Condition == 1 || s.Condition == 2 && p > 3 {
			return (s.Answer + 1) % 4
		}
		return s.Answer
	})
	data, err := Load(d, []string{dir})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := data.Rows(evaluate.Bootstrap{Resamples: 500})
	if err != nil {
		t.Fatal(err)
	}
	over := rows.Overall(metamer.Recognizability)
	if len(over) != 3 {
		t.Fatalf("%d rows", len(over))
	}
	for k, want := range []float64{1, 0, 0.5} {
		r := over[k]
		if r.Value != want || r.Observer != "people" || r.Count != 12 || !(r.Low <= want && want <= r.High && r.Low < r.High) {
			t.Errorf("condition %d: %+v", k, r)
		}
	}
	if over[1].Set != "one" || over[1].Stage != "late" || over[2].Set != "" || over[0].Made == nil {
		t.Errorf("rows %+v", over)
	}
	if per := rows.PerImage(metamer.Recognizability); len(per) != 48 || per[0].Name == "" {
		t.Errorf("%d rows of images", len(per))
	}
	if c := rows.Overall("chance"); len(c) != 1 || c[0].Value != 0.25 {
		t.Errorf("chance %v", c)
	}
	if c := data.Counts(); c.Participants != 6 || c.Kept != 6 || c.KeptTrials != 72 {
		t.Errorf("%v", c)
	}
}

// Participants and trials are left out by the rule of the design, and counted.
func TestExclusion(t *testing.T) {
	d := design(t, func(d *people.Design) {
		d.Exclusion = people.Exclusion{CatchAtLeast: 0.75, FastMS: 600, FastAtMost: 1, ShownWithin: 50}
	})
	dir := write(t, d, 4, func(p, i int) int {
		if p == 2 && d.IsCatch(i) {
			return (d.Stimuli[i].Answer + 1) % 4
		}
		return d.Stimuli[i].Answer
	})
	path := filepath.Join(dir, d.FileName(3))
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	if err := os.WriteFile(path, []byte(strings.Join(lines[:8], "")), 0o644); err != nil {
		t.Fatal(err)
	}
	data, err := Load(d, []string{dir})
	if err != nil {
		t.Fatal(err)
	}
	c := data.Counts()
	if c.Kept != 2 || c.Excluded["0 of 2 catch trials right"] != 1 || c.Excluded["did not reach the end"] != 1 {
		t.Errorf("%v", c)
	}
	fast := design(t, func(d *people.Design) {
		d.Exclusion = people.Exclusion{FastMS: 600, FastAtMost: 0.1, ShownWithin: 50}
		d.Times.Image = 60
	})
	if data, err = Load(fast, []string{write(t, fast, 1, right(fast))}); err != nil {
		t.Fatal(err)
	}
	if c := data.Counts(); c.Kept != 0 || c.Excluded["14 of 14 answers sooner than 600 ms"] != 1 {
		t.Errorf("%v", c)
	}
	fast.Exclusion.FastMS = 0
	if data, err = Load(fast, []string{write(t, fast, 1, right(fast))}); err != nil {
		t.Fatal(err)
	}
	if c := data.Counts(); c.Kept != 1 || c.Trials != 12 || c.KeptTrials != 0 { // shown for 33 ms in place of 1 s
		t.Errorf("%v", c)
	}
}

// Whatever is wrong with data is an error that names file and line.
func TestBadData(t *testing.T) {
	d := design(t, nil)
	whole := peopletest.File(d, 1, func(i int) int { return d.Stimuli[i].Answer })
	lines := strings.SplitAfter(whole, "\n")
	other := *d
	other.Seed = 2
	back := &peopletest.Writer{Design: d, Participant: 1, Time: 1e6}
	first := back.Row("start", nil)
	back.Time -= 5000
	forged := &peopletest.Writer{Design: d, Participant: 1}
	start := forged.Row("start", nil)
	wrong := forged.Trial("trial", d.Practice[0], 0)
	for name, c := range map[string]struct{ text, want string }{
		"another design": {peopletest.File(&other, 1, func(int) int { return 0 }), "line 2: it is of the design"},
		"cut":            {whole[:len(whole)-5], fmt.Sprintf("line %d is cut", len(lines)-1)},
		"line missing":   {strings.Join(append(append([]string{}, lines[:5]...), lines[6:]...), ""), "line 6: its checksum"},
		"edited":         {strings.Replace(whole, "trial", "catch", 1), "its checksum"},
		"twice":          {whole + whole, fmt.Sprintf("line %d: participant 1 occurs twice", len(lines)+1)},
		"clock":          {people.Header() + "\n" + first + "\n" + back.Row("end", nil) + "\n", "line 3: the clock goes back by 4000 ms"},
		"no header":      {lines[1], "line 1: the header"},
		"empty":          {"", "is empty"},
		"forged":         {people.Header() + "\n" + start + "\n" + wrong + "\n", "line 3: "},
	} {
		path := filepath.Join(t.TempDir(), "x.csv")
		if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(d, []string{path}); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v, expected one with %q", name, err, c.want)
		}
	}
	if _, err := Load(d, []string{t.TempDir()}); err == nil || !strings.Contains(err.Error(), "no data") {
		t.Errorf("error %v", err)
	}
}

// golden is made by testdata/scripts/people_golden.py with NumPy, SciPy and statsmodels.
type golden struct {
	Answers    [][4]int
	Conditions []struct{ Value, Low, High, Robust float64 }
	Ceiling    float64
}

func TestAgainstNumPy(t *testing.T) {
	text, err := os.ReadFile("../../../testdata/golden/people.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	var all []Answer
	for _, a := range g.Answers {
		all = append(all, Answer{Participant: a[0], Condition: a[1], Image: a[2], Right: a[3] == 1})
	}
	for k, want := range g.Conditions {
		var list []Answer
		for _, a := range all {
			if a.Condition == k {
				list = append(list, a)
			}
		}
		value, low, high, err := Share(list, evaluate.Bootstrap{Resamples: 20000, Seed: 3})
		if err != nil || math.Abs(value-want.Value) > 1e-12 {
			t.Errorf("condition %d: %v, expected %v (%v)", k, value, want.Value, err)
		}
		// Two bootstraps of 20000 resamples differ by about .002; the seed is fixed.
		if math.Abs(low-want.Low) > 0.01 || math.Abs(high-want.High) > 0.01 {
			t.Errorf("condition %d: [%.4f %.4f], NumPy has [%.4f %.4f]", k, low, high, want.Low, want.High)
		}
		if half := (high - low) / 2 / 1.96; half < want.Robust || half > 1.8*want.Robust {
			t.Errorf("condition %d: the interval is that of a standard error %.4f, statsmodels has %.4f", k, half, want.Robust)
		}
	}
	d := &Data{Design: &people.Design{Conditions: make([]people.Condition, len(g.Conditions))}}
	for k := range d.Design.Conditions {
		d.Design.Conditions[k].Run = "a run"
	}
	people := map[int]*Participant{}
	for _, a := range all {
		p := people[a.Participant]
		if p == nil {
			p = &Participant{}
			people[a.Participant] = p
			d.Participants = append(d.Participants, p)
		}
		p.Trials = append(p.Trials, d.as(a))
	}
	got, reason := d.Ceiling(1)
	if reason != "" || math.Abs(got-g.Ceiling) > 0.01 {
		t.Errorf("ceiling %v (%s), NumPy has %v", got, reason, g.Ceiling)
	}
}

// as makes a trial of an answer, and its stimulus.
func (d *Data) as(a Answer) Trial {
	d.Design.Stimuli = append(d.Design.Stimuli, people.Stimulus{Condition: a.Condition, Image: a.Image})
	choice := 1
	if a.Right {
		choice = 0
	}
	return Trial{Stimulus: len(d.Design.Stimuli) - 1, Choice: choice}
}

// The events of a participant stand where BIDS looks for them, with every image of the
// design beside them and a description of every column.
func TestBIDS(t *testing.T) {
	settings := peopletest.Settings()
	d, images, err := people.New(settings, peopletest.Source(16))
	if err != nil {
		t.Fatal(err)
	}
	experiment := t.TempDir()
	for name, data := range images {
		path := filepath.Join(experiment, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, data, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	data, err := Load(d, []string{write(t, d, 1, right(d))})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := data.WriteBIDS(dir, t.TempDir()); err == nil || !strings.Contains(err.Error(), "--design FOLDER") {
		t.Errorf("without images: error %v", err)
	}
	if err := data.WriteBIDS(dir, experiment); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "sub-1", "beh", "sub-1_task-recognition_events.tsv"))
	lines := strings.Split(string(text), "\n")
	if err != nil || len(lines) != 16 || !strings.HasPrefix(lines[0], "onset\tduration\t") || !strings.HasPrefix(lines[1], "0.000\t0.0333\t") || !strings.HasPrefix(lines[2], "1.000\t") {
		t.Errorf("%v: %q", err, lines)
	}
	described := people.EventColumns()
	for _, c := range strings.Split(lines[0], "\t") {
		if described[c]["Description"] == "" {
			t.Errorf("the column %s is not described", c)
		}
	}
	for _, l := range lines[1:15] {
		if _, err := os.Stat(filepath.Join(dir, "stimuli", strings.Split(l, "\t")[2])); err != nil {
			t.Error(err)
		}
	}
}
