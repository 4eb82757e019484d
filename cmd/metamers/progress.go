package main

import (
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// bar is the progress of a synthesis on a terminal; elsewhere it shows nothing.
type bar struct {
	pb      *progressbar.ProgressBar
	title   string
	members []string
	began   time.Time
	first   int
}

func newBar(g *globals, title string, members []string) *bar {
	b := &bar{title: title, members: members, first: -1}
	if !g.Quiet && !g.JSON && term.IsTerminal(int(os.Stderr.Fd())) {
		b.pb = progressbar.NewOptions(1, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetWidth(24), progressbar.OptionSetPredictTime(true),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(), progressbar.OptionSetDescription(title))
	}
	return b
}

func (b *bar) show(p metamer.Progress) {
	if b.pb == nil {
		return
	}
	if p.Phase != "synthesis" {
		b.pb.Describe(b.title + " " + map[string]string{"compile": "compiling", "evidence": "judging"}[p.Phase])
		return
	}
	// One unit is one step of one image. A resumed run begins where it was.
	done := p.Image*p.Steps + p.Step*p.Batch
	if b.first < 0 {
		b.first, b.began = done, time.Now()
	}
	var loss []string
	for i, v := range p.Loss {
		if !math.IsNaN(v) {
			loss = append(loss, fmt.Sprintf("%s %.4f", b.members[i], v))
		}
	}
	speed := ""
	if s := time.Since(b.began).Seconds(); s > 0.5 && done > b.first {
		speed = fmt.Sprintf(" %.0f image steps/s", float64(done-b.first)/s)
	}
	b.pb.ChangeMax(p.Images * p.Steps)
	b.pb.Describe(fmt.Sprintf("%s %d evaluations, loss %s%s", b.title, p.Evaluations, strings.Join(loss, ", "), speed))
	b.pb.Set(done)
}

// units is the progress of an evaluation.
func (b *bar) units(p metamer.Progress) {
	if b.pb != nil {
		b.pb.ChangeMax(p.Steps)
		b.pb.Describe(b.title + " " + p.What)
		b.pb.Set(p.Step)
	}
}

func (b *bar) clear() {
	if b.pb != nil {
		b.pb.Clear()
	}
}
