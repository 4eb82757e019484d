package main

import (
	"fmt"

	"github.com/dustin/go-humanize"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/study"
	"github.com/ensemble-metamers/metamers/metamerkit/train"
)

// phases are the phases of the engine in words.
var phases = map[metamer.Phase]string{
	metamer.Opening: "opening models", metamer.Compiling: "compiling", metamer.Starting: "first steps", metamer.Matching: "match statistics", metamer.Writing: "writing files",
}

func phase(p metamer.Phase) string {
	if words := phases[p]; words != "" {
		return words
	}
	return string(p)
}

// bar is the progress of a synthesis or an evaluation.
type bar struct {
	*meter
	title   string
	members []string
}

func newBar(g *globals, title string, members []string) *bar {
	return &bar{newMeter(g), title, members}
}

func (b *bar) show(p metamer.Progress) {
	s := state{Title: b.title, Phase: phase(p.Phase), Done: -1}
	if p.Phase == metamer.Stepping {
		s.Step, s.Steps, s.Members, s.Loss, s.Done = p.Step, p.Steps, b.members, p.Loss, p.Share()
		if p.Batch > 0 {
			s.Batch, s.Batches = batchOf(p)
		}
		if p.Evaluations != p.Step {
			s.Text = fmt.Sprintf("%d evaluations", p.Evaluations)
		}
	}
	b.meter.show(s)
}

// batchOf says which batch is under way, from 1, and of how many. The last one may be smaller
// than those before it, which are all alike.
func batchOf(p metamer.Progress) (at, of int) {
	size := max(p.Full, p.Batch, 1)
	return p.Image/size + 1, (p.Images + size - 1) / size
}

// units is the progress of an evaluation.
func (b *bar) units(p metamer.Progress) {
	b.meter.show(state{Title: b.title, Phase: p.What, Step: p.Step, Steps: p.Steps, Done: float64(p.Step) / float64(max(p.Steps, 1))})
}

// planBar is the progress of a whole plan.
type planBar struct {
	*meter
	name string
}

func newPlanBar(g *globals, name string) *planBar { return &planBar{newMeter(g), name} }

func (b *planBar) show(p study.Progress) {
	b.meter.show(state{Title: b.name, Phase: phase(p.Phase), Text: p.What, Loss: p.Loss, Done: p.Done, Left: p.Left})
}

// trainBar is the progress of a training.
type trainBar struct {
	*meter
	name string
}

func newTrainBar(g *globals, name string) *trainBar {
	b := &trainBar{newMeter(g), name}
	b.meter.show(state{Title: name, Phase: phase("compile"), Done: -1})
	return b
}

func (b *trainBar) show(p train.Progress) {
	text := fmt.Sprintf("accuracy %.1f %%", 100*p.Accuracy)
	if p.Last != nil {
		text += fmt.Sprintf(", held out %.1f %%", 100*p.Last.HeldOut)
		if p.Last.Attacked >= 0 {
			text += fmt.Sprintf(", attacked %.1f %%", 100*p.Last.Attacked)
		}
	}
	if p.ImagesPerSecond > 0 {
		text += fmt.Sprintf(", %.0f images/s", p.ImagesPerSecond)
	}
	b.meter.show(state{Title: b.name, Phase: fmt.Sprintf("epoch %d", p.Epoch+1), Step: p.Step, Steps: p.Steps, Text: text, Loss: []float64{p.Loss}, Done: p.Share, Left: p.Left})
}

// countBar counts images or other things.
type countBar struct {
	*meter
	title, what string
	n           int
}

func newCountBar(g *globals, title, what string, n int) *countBar {
	b := &countBar{newMeter(g), title, what, n}
	b.set(0)
	return b
}

func (b *countBar) set(n int) {
	b.meter.show(state{Title: b.title, Phase: fmt.Sprintf("%d of %d %s", n, b.n, b.what), Done: float64(n) / float64(max(b.n, 1))})
}

// bytesBar is the progress of a download; clear ends it.
func bytesBar(g *globals, title string) (show func(done, total int64), clear func()) {
	m := newMeter(g)
	return func(done, total int64) {
		s := state{Title: title, Phase: "download", Text: humanize.Bytes(uint64(max(done, 0))), Done: -1}
		if total > 0 {
			s.Text += " of " + humanize.Bytes(uint64(total))
			s.Done = float64(done) / float64(total)
		}
		m.show(s)
	}, m.clear
}
