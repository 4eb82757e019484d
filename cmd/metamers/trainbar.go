package main

import (
	"fmt"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/ensemble-metamers/metamers/metamerkit/train"
)

// trainBar is the progress of a training: a bar on a terminal, elsewhere a line an
// epoch.
type trainBar struct {
	pb    *progressbar.ProgressBar
	name  string
	quiet bool
	line  time.Time
	epoch int
}

// shares is what the whole bar counts to.
const shares = 1000

func newTrainBar(g *globals, name string) *trainBar {
	b := &trainBar{name: name, quiet: g.Quiet || g.JSON, epoch: -1}
	if !b.quiet && term.IsTerminal(int(os.Stderr.Fd())) {
		b.pb = progressbar.NewOptions(1, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetWidth(20), progressbar.OptionSetPredictTime(false),
			progressbar.OptionThrottle(200*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionSetDescription(name+" compiling"))
		b.pb.RenderBlank()
	}
	return b
}

func (b *trainBar) show(p train.Progress) {
	if b.quiet {
		return
	}
	held := ""
	if p.Last != nil {
		held = fmt.Sprintf(", held out %.1f %%", 100*p.Last.HeldOut)
		if p.Last.Attacked >= 0 {
			held += fmt.Sprintf(", attacked %.1f %%", 100*p.Last.Attacked)
		}
	}
	pace := "compiled"
	if p.ImagesPerSecond > 0 {
		pace = fmt.Sprintf("%.0f images/s, %s left", p.ImagesPerSecond, p.Left.Round(time.Second))
	}
	text := fmt.Sprintf("%s epoch %d, loss %.3f, accuracy %.1f %%%s, %s", b.name, p.Epoch+1, p.Loss, 100*p.Accuracy, held, pace)
	if b.pb != nil {
		b.pb.ChangeMax(shares)
		b.pb.Describe(text)
		b.pb.Set(int(shares * p.Share))
		return
	}
	if p.Epoch != b.epoch || time.Since(b.line) > time.Minute || p.Share == 1 {
		b.epoch, b.line = p.Epoch, time.Now()
		fmt.Fprintf(os.Stderr, "step %d (%.0f %%): %s\n", p.Step, 100*p.Share, text)
	}
}

func (b *trainBar) clear() {
	if b.pb != nil {
		b.pb.Clear()
	}
}

// countBar counts images on a terminal; elsewhere it shows nothing.
type countBar struct{ pb *progressbar.ProgressBar }

func newCountBar(g *globals, what string, n int) countBar {
	if g.Quiet || g.JSON || !term.IsTerminal(int(os.Stderr.Fd())) {
		return countBar{}
	}
	return countBar{progressbar.NewOptions(n, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetWidth(24), progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(), progressbar.OptionSetDescription(what))}
}

func (b countBar) set(n int) {
	if b.pb != nil {
		b.pb.Set(n)
	}
}

func (b countBar) clear() {
	if b.pb != nil {
		b.pb.Clear()
	}
}
