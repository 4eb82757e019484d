// Package answers reads the data of an experiment. It checks every line, excludes
// participants and trials by the rule of the design, and makes rows with the observer "people".
package answers

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/people"
)

// Data are the answers of participants to one design.
type Data struct {
	Design       *people.Design
	Participants []*Participant
}

// Participant is a person's file.
type Participant struct {
	Name     string // that of the data, such as 17
	File     string
	Trials   []Trial // without practice
	Complete bool    // the last row is there
	Excluded string  // why the participant is left out, "" if not
}

// Trial is an answer.
type Trial struct {
	Stimulus int
	Choice   int // -1: none in time
	Catch    bool
	RT       float64 // ms
	Shown    float64 // ms
	Other    float64 // ms that the second image was shown; Shown in a task with one
	Dropped  int     // frames that came late
	Onset    int64   // ms since 1970, of the row
	Left     string  // why the trial is left out, "" if not
}

// Right reports whether the choice is the right one.
func (d *Data) Right(t Trial) bool { return t.Choice == d.Design.Stimuli[t.Stimulus].Answer }

// Load reads files and folders of data: the page's own files, alone or joined; tables of
// jsPsych's data, as hosts keep them; and archives of results, as JATOS makes them. Of an
// experiment's folder it reads those in data.
func Load(d *people.Design, from []string) (*Data, error) {
	texts, err := sources(from)
	if err != nil {
		return nil, err
	}
	r := &reader{Data: &Data{Design: d}, sha256: d.SHA256(), seen: map[string]string{}}
	for _, t := range texts {
		if err := r.read(t); err != nil {
			return nil, fmt.Errorf("experiment: %w", err)
		}
	}
	if len(r.Participants) == 0 {
		return nil, fmt.Errorf("experiment: there are no data in %s", strings.Join(from, ", "))
	}
	for _, p := range r.Participants {
		r.exclude(p)
	}
	return r.Data, nil
}

type reader struct {
	*Data
	sha256 string
	seen   map[string]string // participants, and where they begin
}

func (r *reader) read(s source) error {
	all, err := s.participants()
	if err != nil {
		return err
	}
	for _, rows := range all {
		p, seq := &Participant{File: s.name}, &sequence{}
		for _, l := range rows {
			where := fmt.Sprintf("%s: line %d", s.name, l.line)
			if err := r.line(p, seq, l.text, where); err != nil {
				return fmt.Errorf("%s: %w", where, err)
			}
		}
	}
	return nil
}

// sequence is what is known of the rows of a participant so far.
type sequence struct {
	rows   int
	check  string
	time   int64
	trials []int // of the schedule
}

func (r *reader) line(p *Participant, s *sequence, text, where string) error {
	row, err := people.ParseLine(text, s.check)
	if err != nil {
		return err
	}
	if got := row.Field("design"); got != r.sha256 {
		return fmt.Errorf("it is of the design %.12s…, expected %.12s…: data of another experiment", got, r.sha256)
	}
	s.rows++
	if got := row.Field("row"); got != strconv.Itoa(s.rows) {
		return fmt.Errorf("it is row %q of its participant, expected %d: rows are missing or not in order", got, s.rows)
	}
	if s.rows == 1 {
		p.Name = row.Field("participant")
		if before := r.seen[p.Name]; before != "" {
			return fmt.Errorf("participant %s occurs twice, first in %s", p.Name, before)
		}
		r.seen[p.Name] = where
		r.Participants = append(r.Participants, p)
		schedule, err := strconv.Atoi(row.Field("schedule"))
		if err != nil || schedule < 0 {
			return fmt.Errorf("schedule is %q, expected a number from 0", row.Field("schedule"))
		}
		s.trials = r.Design.Trials(schedule)
	}
	if got := row.Field("participant"); got != p.Name {
		return fmt.Errorf("participant is %q, expected %s as in the rows before", got, p.Name)
	}
	now, err := strconv.ParseInt(row.Field("time_ms"), 10, 64)
	if err != nil {
		return fmt.Errorf("time_ms is %q, expected a number", row.Field("time_ms"))
	}
	if now < s.time {
		return fmt.Errorf("the clock goes back by %d ms", s.time-now)
	}
	s.time, s.check = now, row.Field("check")
	switch phase := row.Field("phase"); phase {
	case "trial", "catch":
		return r.trial(p, s, row)
	case "end":
		p.Complete = len(p.Trials) == len(s.trials)
	case "start", "calibration", "practice":
	default:
		return fmt.Errorf("phase is %q, expected start, calibration, practice, trial, catch or end", phase)
	}
	return nil
}

// trial adds the row of a trial. What it says twice must agree with the design.
func (r *reader) trial(p *Participant, s *sequence, row people.Line) error {
	k := len(p.Trials)
	if k >= len(s.trials) {
		return fmt.Errorf("it is trial %d, and the schedule has %d", k+1, len(s.trials))
	}
	want := s.trials[k]
	st := r.Design.Stimuli[want]
	t := Trial{Stimulus: want, Choice: -1, Catch: r.Design.IsCatch(want), Onset: s.time}
	phase := "trial"
	if t.Catch {
		phase = "catch"
	}
	correct := ""
	if name := row.Field("choice"); name != "" {
		t.Choice = slices.IndexFunc(r.Design.Choices, func(c people.Choice) bool { return c.Name == name })
		if t.Choice < 0 {
			return fmt.Errorf("choice is %q, which is none of the design's", name)
		}
		correct = "0"
		if t.Choice == st.Answer {
			correct = "1"
		}
	}
	other := ""
	if st.Other != nil {
		other = strconv.Itoa(st.Other.Condition)
	}
	for _, c := range []struct{ column, want string }{
		{"phase", phase}, {"other", other}, {"stimulus", strconv.Itoa(want)}, {"condition", strconv.Itoa(st.Condition)}, {"image", strconv.Itoa(st.Image)},
		{"answer", r.Design.Choices[st.Answer].Name}, {"correct", correct},
	} {
		if got := row.Field(c.column); got != c.want {
			return fmt.Errorf("%s is %q, expected %q by the design", c.column, got, c.want)
		}
	}
	var err, e1, e2 error
	t.RT, e1 = strconv.ParseFloat(row.Field("rt_ms"), 64)
	t.Shown, e2 = strconv.ParseFloat(row.Field("image_ms"), 64)
	if err = errors.Join(e1, e2); err != nil || !(t.RT >= 0 && t.Shown >= 0) {
		return fmt.Errorf("rt_ms is %q and image_ms %q, expected times", row.Field("rt_ms"), row.Field("image_ms"))
	}
	t.Other = t.Shown
	if st.Other != nil {
		if t.Other, err = strconv.ParseFloat(row.Field("other_ms"), 64); err != nil || !(t.Other >= 0) {
			return fmt.Errorf("other_ms is %q, expected a time", row.Field("other_ms"))
		}
	}
	if text := row.Field("dropped_frames"); text != "" {
		if t.Dropped, err = strconv.Atoi(text); err != nil || t.Dropped < 0 {
			return fmt.Errorf("dropped_frames is %q, expected a number from 0", text)
		}
	}
	p.Trials = append(p.Trials, t)
	return nil
}
