package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

var launched = time.Now() // the program

// parts is where the time of a command goes, by the phases of a synthesis.
type parts struct {
	Names   []string
	Seconds []float64
	since   time.Time
}

// enter begins a part; one that was under way ends. "" ends it alone.
func (p *parts) enter(name string) {
	now := time.Now()
	if n := len(p.Names); n > 0 {
		if p.Names[n-1] == name {
			return
		}
		p.Seconds[n-1] = now.Sub(p.since).Seconds()
	}
	if name == "" {
		return
	}
	p.Names, p.Seconds, p.since = append(p.Names, name), append(p.Seconds, 0), now
}

// progress names the phases that it hears of and tells next.
func (p *parts) progress(next func(metamer.Progress)) func(metamer.Progress) {
	names := map[string]string{"compile": "compilation", "start": "synthesis", "synthesis": "synthesis", "evidence": "evidence"}
	return func(pr metamer.Progress) {
		if n := names[pr.Phase]; n != "" {
			p.enter(n)
		}
		next(pr)
	}
}

// String is the line for people.
func (p *parts) String() string {
	var out []string
	sum := 0.0
	for i, n := range p.Names {
		out = append(out, fmt.Sprintf("%s %.1f s", n, p.Seconds[i]))
		sum += p.Seconds[i]
	}
	return fmt.Sprintf("%.1f s: %s", sum, strings.Join(out, ", "))
}
