package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/study"
)

var launched = time.Now() // the program

// parts is where the time of a command goes, from the program's start on, by the phases of
// a synthesis.
type parts struct{ *study.Tally }

func newParts() parts { return parts{study.NewTally("start", launched)} }

// enter begins a part; "" ends the last one.
func (p parts) enter(name metamer.Phase) { p.See(metamer.Progress{Phase: name, Usage: backend.Used()}) }

// progress takes what it hears, with which the engine says what this process has used, and
// tells next.
func (p parts) progress(next func(metamer.Progress)) func(metamer.Progress) {
	return func(pr metamer.Progress) {
		p.See(pr)
		next(pr)
	}
}

// MarshalJSON writes names, seconds and shares of the processor that worked.
func (p parts) MarshalJSON() ([]byte, error) {
	out := struct {
		Names         []string
		Seconds, Busy []float64
		Memory        uint64
	}{Memory: p.Last.Memory}
	for _, s := range p.Shares {
		if s.Name != "" {
			out.Names, out.Seconds, out.Busy = append(out.Names, s.Label()), append(out.Seconds, s.Wall.Seconds()), append(out.Busy, s.Busy(p.Last.Cores))
		}
	}
	return json.Marshal(out)
}

// String is the line for people.
func (p parts) String() string {
	var out []string
	for _, s := range p.Shares {
		if s.Name != "" {
			out = append(out, fmt.Sprintf("%s %.1f s", s.Label(), s.Wall.Seconds()))
		}
	}
	all := study.Spent{Shares: p.Shares}.Whole()
	s := fmt.Sprintf("%.1f s: %s; %.0f %% of the processor busy", all.Wall.Seconds(), strings.Join(out, ", "), 100*all.Busy(p.Last.Cores))
	if p.Last.Memory > 0 {
		s += ", at most " + humanize.IBytes(p.Last.Memory) + " held"
	}
	return s
}
