package study

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Share is what one part of a study took, over all of its runs.
type Share struct {
	Name      metamer.Phase
	Wall      time.Duration // until the next part began
	Processor time.Duration // that the engine used meanwhile, for whatever it did
}

// Label is the part's name for people.
func (s Share) Label() string {
	if s.Name == metamer.Compiling {
		return "compilation"
	}
	return string(s.Name)
}

// Busy is the share of so many processor cores that worked.
func (s Share) Busy(cores int) float64 {
	if s.Wall <= 0 || cores == 0 {
		return 0
	}
	return s.Processor.Seconds() / (s.Wall.Seconds() * float64(cores))
}

// Whole is all parts together.
func (s Spent) Whole() Share {
	all := Share{Name: "all"}
	for _, p := range s.Shares {
		all.Wall, all.Processor = all.Wall+p.Wall, all.Processor+p.Processor
	}
	return all
}

// Lines say how busy a study kept the machine, and what it held in memory; nil where all
// was there.
func (s Spent) Lines() (out []string) {
	all := s.Whole()
	if all.Processor == 0 || s.Cores == 0 {
		return nil
	}
	var parts []string
	for _, p := range s.Shares {
		if p.Wall >= all.Wall/100 {
			parts = append(parts, fmt.Sprintf("%s %.1f s, %.0f %%", p.Label(), p.Wall.Seconds(), 100*p.Busy(s.Cores)))
		}
	}
	out = append(out, fmt.Sprintf("%s busy: %.0f %% (%s)", english.Plural(s.Cores, "processor core", ""), 100*all.Busy(s.Cores), strings.Join(parts, "; ")))
	if s.GPU > 0 {
		out = append(out, fmt.Sprintf("the GPU ran kernels for %.0f %% of the time, by its driver's samples", 100*min(s.GPU.Seconds()/all.Wall.Seconds(), 1)))
	}
	var memory []string
	if s.Memory > 0 {
		memory = append(memory, "most memory held: "+humanize.IBytes(s.Memory))
	}
	var held []string
	for _, m := range slices.Sorted(maps.Keys(s.Held)) {
		held = append(held, m+" "+humanize.IBytes(uint64(s.Held[m])))
	}
	if held != nil {
		memory = append(memory, "weights and what is derived of them: "+strings.Join(held, ", "))
	}
	if memory != nil {
		out = append(out, strings.Join(memory, "; "))
	}
	return out
}

// stored counts the runs that were there already.
func (r *Result) stored() (n int) {
	for _, run := range r.Runs {
		if run.Cached {
			n++
		}
	}
	return n
}

// told says when the page was written, and how long its runs took when they were made.
func (r *Result) told(now time.Time) string {
	var took time.Duration
	for _, run := range r.Runs {
		took += seconds(run.Seconds)
	}
	date, n := now.Format(time.DateOnly), r.stored()
	if n == 0 {
		return fmt.Sprintf("Made on %s; the command took %s.", date, r.Took.Round(time.Second))
	}
	text := fmt.Sprintf("This page was written on %s from %s that %s stored.", date, english.Plural(n, "run", ""), english.PluralWord(n, "was", "were"))
	if n < len(r.Runs) {
		text = fmt.Sprintf("Made on %s; the command took %s, and %d of %s %s stored.", date, r.Took.Round(time.Second), n, english.Plural(len(r.Runs), "run", ""), english.PluralWord(n, "was", "were"))
	}
	if took > 0 {
		text += fmt.Sprintf(" The synthesis of all runs took %s when they were made.", max(took.Round(time.Second), time.Second))
	}
	return text
}

// Usage is Lines in sentences, for the page; "" where all runs were stored.
func (r *Result) Usage() string {
	if n := len(r.Runs); n > 0 && r.stored() == n {
		return ""
	}
	lines := r.Spent.Lines()
	for i, l := range lines {
		lines[i] = strings.ToUpper(l[:1]) + l[1:] + "."
	}
	return strings.Join(lines, " ")
}

// Tally adds up parts by what an engine reports.
type Tally struct {
	Shares []Share // in the order in which they began
	Last   metamer.Usage

	first metamer.Usage
	at    time.Time // of the last report
	part  int       // index of the part under way
}

// NewTally begins with a part that began earlier, when nothing had been used.
func NewTally(part metamer.Phase, since time.Time) *Tally {
	return &Tally{Shares: []Share{{Name: part}}, at: since}
}

// See takes a report, with which a part begins or goes on.
func (t *Tally) See(p metamer.Progress) {
	now, name := time.Now(), p.Phase
	if name == metamer.Starting {
		name = metamer.Stepping
	}
	if t.at.IsZero() {
		t.first = p.Usage
	} else {
		s := &t.Shares[t.part]
		s.Wall += now.Sub(t.at)
		s.Processor += max(p.Usage.Processor-t.Last.Processor, 0)
	}
	t.part = slices.IndexFunc(t.Shares, func(s Share) bool { return s.Name == name })
	if t.part < 0 {
		t.part, t.Shares = len(t.Shares), append(t.Shares, Share{Name: name})
	}
	t.at, t.Last = now, p.Usage
}
