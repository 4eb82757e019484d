package answers

import (
	"errors"
	"math"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/people"
)

// Answer is a trial that counts.
type Answer struct {
	Participant int // index among those that are kept
	Condition   int
	Image       int
	Right       bool
	Other       int // condition of the second image, in tasks with one
}

// Answers lists the trials that count, and how many participants are kept.
func (d *Data) Answers() (out []Answer, participants int) {
	for _, p := range d.Participants {
		if p.Excluded != "" {
			continue
		}
		for _, t := range p.Trials {
			if s := d.Design.Stimuli[t.Stimulus]; !t.Catch && t.Left == "" {
				a := Answer{Participant: participants, Condition: s.Condition, Image: s.Image, Right: d.Right(t)}
				if s.Other != nil {
					a.Other = s.Other.Condition
				}
				out = append(out, a)
			}
		}
		participants++
	}
	return out, participants
}

// Share is the share of right answers with its two-way bootstrap interval over
// participants and images.
func Share(answers []Answer, b evaluate.Bootstrap) (value, low, high float64, err error) {
	persons, images := index(answers, func(a Answer) int { return a.Participant }), index(answers, func(a Answer) int { return a.Image })
	stat := func(person, image []int) float64 {
		right, all := 0, 0
		for _, a := range answers {
			w := person[persons[a.Participant]] * image[images[a.Image]]
			all += w
			if a.Right {
				right += w
			}
		}
		return float64(right) / float64(all) // NaN of a resample without trials
	}
	value = stat(ones(len(persons)), ones(len(images)))
	if len(answers) == 0 {
		return value, math.NaN(), math.NaN(), evaluate.Undefined("no answer counts")
	}
	low, high, err = b.TwoWay(len(persons), len(images), stat)
	if err == nil && low == high && (value == 0 || value == 1) { // resampling has no spread
		n := min(len(persons), len(images))
		low, high = evaluate.Wilson(int(value)*n, n, 0.95)
	}
	return value, low, high, err
}

// index numbers what of gives, in order of appearance.
func index(answers []Answer, of func(Answer) int) map[int]int {
	out := map[int]int{}
	for _, a := range answers {
		if _, seen := out[of(a)]; !seen {
			out[of(a)] = len(out)
		}
	}
	return out
}

func ones(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = 1
	}
	return out
}

// The measures of the tasks, beside metamer.Recognizability.
const (
	CalledDifferent = "called-different" // share of trials with the answer "different"
	DPrime          = "d-prime"          // of telling the metamers of a run from their references
	MoreNatural     = "more-natural"     // share of trials in which the image was chosen
)

// counted are the answers as the task's measure counts them: Right is recognized, called
// different, or chosen. A pair of two runs counts for both.
func (d *Data) counted() (measure string, out []Answer, participants int) {
	switch d.Design.Task {
	case people.SameDifferent:
		all, n := d.Answers()
		for i, a := range all {
			all[i].Right = a.Right == (d.Design.Conditions[a.Condition].Run != "")
		}
		return CalledDifferent, all, n
	case people.MoreNatural:
		all, n := d.Answers()
		for _, a := range all {
			out = append(out, a)
			if a.Other != people.Natural {
				a.Condition, a.Other, a.Right = a.Other, a.Condition, !a.Right
				out = append(out, a)
			}
		}
		return MoreNatural, out, n
	}
	out, participants = d.Answers()
	return metamer.Recognizability, out, participants
}

// Rows are the task's measure for each condition, over all images and of each; of the
// references (no set) too. Chance and the noise ceiling are rows of their own.
func (d *Data) Rows(b evaluate.Bootstrap) (metamer.Rows, error) {
	measure, all, _ := d.counted()
	var rows metamer.Rows
	for k, c := range d.Design.Conditions {
		list := where(all, func(a Answer) bool { return a.Condition == k })
		base := metamer.Row{Run: c.Run, Set: c.Set, Stage: c.Stage, Observer: metamer.People, Measure: measure, Image: -1, Low: math.NaN(), High: math.NaN(), Made: c.Made}
		perImage := d.perImage(base, list)
		rows = append(rows, perImage...)
		for _, i := range perImage {
			base.Count += i.Count
		}
		r := base
		var err error
		r.Value, r.Low, r.High, err = Share(list, b)
		if rows, err = with(rows, r, err); err != nil {
			return nil, err
		}
		switch {
		case d.Design.Task == people.SameDifferent && c.Run != "":
			r = base
			r.Measure = DPrime
			natural := len(d.Design.Conditions) - 1
			r.Value, r.Low, r.High, err = Sensitivity(all, k, natural, b)
			if rows, err = with(rows, r, err); err != nil {
				return nil, err
			}
		case d.Design.Pairs == people.PairAll:
			if rows, err = d.against(rows, base, list, b); err != nil {
				return nil, err
			}
		}
	}
	return append(rows, d.whole(b.Seed)...), nil
}

// Shares are the rows of the task's measure over all images, one for each condition.
func (d *Data) Shares(rows metamer.Rows) metamer.Rows {
	measure, _, _ := d.counted()
	return rows.Overall(measure)
}

// against adds a row for each other image beside which a run's was shown.
func (d *Data) against(rows metamer.Rows, base metamer.Row, list []Answer, b evaluate.Bootstrap) (metamer.Rows, error) {
	for l := people.Natural; l < len(d.Design.Conditions); l++ {
		beside := where(list, func(a Answer) bool { return a.Other == l })
		if len(beside) == 0 {
			continue
		}
		r, other := base, people.Condition{}
		if l != people.Natural {
			other = d.Design.Conditions[l]
		}
		r.Measure, r.Count = MoreNatural+"/"+other.String(), len(index(beside, func(a Answer) int { return a.Image }))
		var err error
		r.Value, r.Low, r.High, err = Share(beside, b)
		if rows, err = with(rows, r, err); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// whole are the rows of the experiment as a whole.
func (d *Data) whole(seed uint64) (rows metamer.Rows) {
	base := metamer.Row{Observer: metamer.People, Image: -1, Low: math.NaN(), High: math.NaN(), Count: d.Design.Images.Count}
	if d.Design.Task != people.SameDifferent {
		chance := base
		chance.Measure, chance.Value = "chance", 1/float64(len(d.Design.Choices))
		rows = append(rows, chance)
	}
	base.Measure = metamer.NoiseCeiling
	if base.Value, base.Reason = d.Ceiling(seed); base.Reason != "" {
		base.Count = 0
	}
	return append(rows, base)
}

// with adds a row. What is not defined gives the row a reason.
func with(rows metamer.Rows, r metamer.Row, err error) (metamer.Rows, error) {
	if u := evaluate.Undefined(""); errors.As(err, &u) {
		r.Reason = string(u)
	} else if err != nil {
		return nil, err
	}
	return append(rows, r), nil
}

func where(list []Answer, keep func(Answer) bool) (out []Answer) {
	for _, a := range list {
		if keep(a) {
			out = append(out, a)
		}
	}
	return out
}

// perImage are the rows of single images; one that nobody answered is NaN and says why.
func (d *Data) perImage(base metamer.Row, list []Answer) metamer.Rows {
	names, why := make([]string, d.Design.Images.Count), map[int]string{}
	for _, s := range d.Design.Stimuli {
		if s.Image >= 0 {
			names[s.Image] = s.Name
		}
	}
	for _, l := range d.Design.Left {
		names[l.Image], why[l.Image] = l.Name, l.Why
	}
	right, count := make([]int, len(names)), make([]int, len(names))
	for _, a := range list {
		count[a.Image]++
		if a.Right {
			right[a.Image]++
		}
	}
	var rows metamer.Rows
	for i, name := range names {
		r := base
		r.Image, r.Name, r.Value, r.Count = i, name, float64(right[i])/float64(count[i]), 1
		if count[i] == 0 {
			r.Value, r.Count, r.Reason = math.NaN(), 0, "no answer counts"
			if why[i] != "" {
				r.Reason = why[i]
			}
		}
		rows = append(rows, r)
	}
	return rows
}
