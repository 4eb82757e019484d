package answers

import (
	"errors"
	"fmt"
	"math"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Answer is a trial that counts.
type Answer struct {
	Participant int // index among those that are kept
	Condition   int
	Image       int
	Right       bool
}

// Answers lists the trials that count, and how many participants are kept.
func (d *Data) Answers() (out []Answer, participants int) {
	for _, p := range d.Participants {
		if p.Excluded != "" {
			continue
		}
		for _, t := range p.Trials {
			if s := d.Design.Stimuli[t.Stimulus]; !t.Catch && t.Left == "" {
				out = append(out, Answer{participants, s.Condition, s.Image, d.Right(t)})
			}
		}
		participants++
	}
	return out, participants
}

// Share is the share of right answers with its two-way bootstrap interval over
// participants and images.
func Share(answers []Answer, b evaluate.Bootstrap) (value, low, high float64, err error) {
	people, images := index(answers, func(a Answer) int { return a.Participant }), index(answers, func(a Answer) int { return a.Image })
	stat := func(person, image []int) float64 {
		right, all := 0, 0
		for _, a := range answers {
			w := person[people[a.Participant]] * image[images[a.Image]]
			all += w
			if a.Right {
				right += w
			}
		}
		return float64(right) / float64(all) // NaN of a resample without trials
	}
	value = stat(ones(len(people)), ones(len(images)))
	if len(answers) == 0 {
		return value, math.NaN(), math.NaN(), evaluate.Undefined("no answer counts")
	}
	low, high, err = b.TwoWay(len(people), len(images), stat)
	if err == nil && low == high && (value == 0 || value == 1) { // resampling has no spread
		n := min(len(people), len(images))
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

// Rows are the recognizability of each condition by people, over all images and of each;
// of the references (no set) too. Chance and the noise ceiling are rows of their own.
func (d *Data) Rows(b evaluate.Bootstrap) (metamer.Rows, error) {
	all, _ := d.Answers()
	var rows metamer.Rows
	for k, c := range d.Design.Conditions {
		var list []Answer
		for _, a := range all {
			if a.Condition == k {
				list = append(list, a)
			}
		}
		base := metamer.Row{Run: c.Run, Set: c.Set, Stage: c.Stage, Observer: metamer.People, Measure: metamer.Recognizability, Low: math.NaN(), High: math.NaN(), Made: c.Made}
		perImage := d.perImage(base, list)
		rows = append(rows, perImage...)
		r := base
		r.Image = -1
		for _, i := range perImage {
			r.Count += i.Count
		}
		var err error
		r.Value, r.Low, r.High, err = Share(list, b)
		if u := evaluate.Undefined(""); errors.As(err, &u) {
			r.Reason = string(u)
		} else if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	ceiling, reason := d.Ceiling(b.Seed)
	whole := metamer.Row{Observer: metamer.People, Image: -1, Low: math.NaN(), High: math.NaN(), Count: d.Design.Images.Count}
	chance := whole
	chance.Measure, chance.Value = "chance", 1/float64(len(d.Design.Choices))
	whole.Measure, whole.Value, whole.Reason = metamer.NoiseCeiling, ceiling, reason
	if reason != "" {
		whole.Count = 0
	}
	return append(rows, chance, whole), nil
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

// String says it in one sentence or two.
func (c Counts) String() string {
	s := fmt.Sprintf("%d participants, %d kept", c.Participants, c.Kept)
	for _, why := range sorted(c.Excluded) {
		s += fmt.Sprintf("; %d left out: %s", c.Excluded[why], why)
	}
	s += fmt.Sprintf(". %d trials, %d kept", c.Trials, c.KeptTrials)
	for _, why := range sorted(c.Left) {
		s += fmt.Sprintf("; %d left out: %s", c.Left[why], why)
	}
	return s + "."
}
