package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

var launched = time.Now() // the program

// partNames are the phases of metamer.Progress for people.
var partNames = map[string]string{"models": "models", "compile": "compilation", "start": "synthesis", "synthesis": "synthesis",
	"evidence": "evidence", "files": "pictures and files", "evaluation": "evaluation"}

// parts is where the time of a command goes, by the phases of a synthesis.
type parts struct {
	Names   []string
	Seconds []float64
	Busy    []float64 // the share of the processor's cores that worked
	Memory  uint64    // the most bytes held at once, 0: not known
	since   time.Time
	used    time.Duration // processor time at since
}

// enter begins a part; one that was under way ends. "" ends it alone.
func (p *parts) enter(name string) {
	now, u := time.Now(), backend.Used()
	p.Memory = u.Memory
	if n := len(p.Names); n > 0 {
		if p.Names[n-1] == name {
			return
		}
		s := now.Sub(p.since).Seconds()
		p.Seconds[n-1] = s
		p.Busy[n-1] = (u.Processor - p.used).Seconds() / max(s*float64(u.Cores), 1e-9)
	}
	if name == "" {
		return
	}
	p.Names, p.Seconds, p.Busy = append(p.Names, name), append(p.Seconds, 0), append(p.Busy, 0)
	p.since, p.used = now, u.Processor
}

// progress names the phases that it hears of and tells next.
func (p *parts) progress(next func(metamer.Progress)) func(metamer.Progress) {
	return func(pr metamer.Progress) {
		if n := partNames[pr.Phase]; n != "" {
			p.enter(n)
		}
		next(pr)
	}
}

// String is the line for people.
func (p *parts) String() string {
	var out []string
	sum, busy := 0.0, 0.0
	for i, n := range p.Names {
		out = append(out, fmt.Sprintf("%s %.1f s", n, p.Seconds[i]))
		sum += p.Seconds[i]
		busy += p.Seconds[i] * p.Busy[i]
	}
	s := fmt.Sprintf("%.1f s: %s; %.0f %% of the processor busy", sum, strings.Join(out, ", "), 100*busy/max(sum, 1e-9))
	if p.Memory > 0 {
		s += ", at most " + humanize.IBytes(p.Memory) + " held"
	}
	return s
}
