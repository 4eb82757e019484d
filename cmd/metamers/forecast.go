package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"

	"github.com/ensemble-metamers/metamers/metamerkit/engine"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
	"github.com/ensemble-metamers/metamers/metamerkit/study"
)

// openSpeeds reads what is known of this machine's speed.
func openSpeeds(e *engine.Engine) (*study.Speeds, error) {
	return study.OpenSpeeds(filepath.Join(paths.Cache(), "speeds.json"), e.Computes())
}

// forecastLine is what a plan takes, in a line.
func forecastLine(f *study.Forecast) string {
	line := runsLine(f)
	if f.Distortions > 0 {
		line += fmt.Sprintf("; then distortions of %s at a stage, at most %s products with JᵀJ, whose time is not forecast", english.Plural(f.Distortions, "image", ""), many(f.Products))
	}
	return line
}

// runsLine is what the runs and their evaluations take.
func runsLine(f *study.Forecast) string {
	left := 0
	for _, p := range f.Parts {
		if !p.Stored {
			left++
		}
	}
	if left == 0 && f.Evaluations == 0 {
		return fmt.Sprintf("all %d runs and their rows are stored", len(f.Parts))
	}
	what := fmt.Sprintf("%d of %d runs and %d evaluations, %s gradient evaluations of one image, %s on disk", left, len(f.Parts), f.Evaluations, many(f.Gradients), humanize.Bytes(uint64(f.Bytes())))
	if f.Unknown != nil {
		return fmt.Sprintf("%s; speed unknown for %s of model and stage: the run measures them first, or only measure: --dry-run --measure", what, english.Plural(len(f.Unknown), "pair", ""))
	}
	s := fmt.Sprintf("expected: %s for %s", about(f.Left()), what)
	if f.Measured > time.Second {
		s += fmt.Sprintf(" (measured in %s)", f.Measured.Round(time.Second))
	}
	return s
}

// many is a number of things, rounded where it is large.
func many(n int64) string {
	switch v := float64(n); {
	case v >= 1e6:
		return fmt.Sprintf("%.3g million", v/1e6)
	case v >= 1e4:
		return humanize.Comma(int64(math.Round(v/1e3) * 1e3))
	}
	return humanize.Comma(n)
}

// spentLine says what a study took and what was expected, "" where all was there.
func spentLine(s study.Spent) string {
	took, expected := s.Runs+s.Evaluation, s.ExpectedRuns+s.ExpectedEvaluation
	if expected < time.Second {
		if s.Distortions >= time.Second {
			return fmt.Sprintf("distortions took %s", about(s.Distortions))
		}
		return ""
	}
	line := fmt.Sprintf("took %s, expected %s: runs %s (%s), evaluations %s (%s)", about(took), about(expected), about(s.Runs), about(s.ExpectedRuns), about(s.Evaluation), about(s.ExpectedEvaluation))
	if s.Distortions > 0 {
		line += fmt.Sprintf("; then distortions, which no forecast has, %s", about(s.Distortions))
	}
	return line
}

// about is a duration to two digits or so.
func about(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%.0f days", d.Hours()/24)
	case d >= 10*time.Minute:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	case d >= 10*time.Second:
		return d.Round(time.Second).String()
	}
	return d.Round(100 * time.Millisecond).String()
}

// planned is a plan before it begins.
type planned struct {
	plan     study.Plan
	missing  []study.MissingModel
	forecast *study.Forecast
	images   *images.Set
}

func look(ctx context.Context, e *engine.Engine, store *runs.Store, p study.Plan, available, measure bool) (l planned, err error) {
	if l.plan, l.missing, err = p.Resolved(ctx, e, available); err != nil {
		return l, err
	}
	if l.images, err = withNotes(images.OpenLine(p.Images, images.Options{Size: p.Size})); err != nil {
		return l, err
	}
	l.images = l.plan.Settings.Variants.Of(l.images)
	null, err := e.NullSet(p.Settings.Null, l.images.Size)
	if err != nil {
		return l, fmt.Errorf("plan %s: %w", p.Name, err)
	}
	if why := null.Untested(); why != "" && null.Name != metamer.NoNull {
		fmt.Fprintf(os.Stderr, "warning: %s: images will not be tested\n", why)
	}
	if l.missing == nil || available {
		if l.plan, err = l.plan.Batched(ctx, e, l.images); err != nil {
			return l, err
		}
	} else if l.plan.Settings.Batch == metamer.AutoBatch {
		l.plan.Settings.Batch = 0 // nobody can tell for models that are not here: the default
	}
	speeds, err := openSpeeds(e)
	if err != nil {
		fmt.Fprintln(os.Stderr, "warning:", err)
	}
	if measure {
		if l.missing != nil && !available {
			return l, &study.MissingModelsError{Plan: p.Name, Missing: l.missing}
		}
		_, err := l.plan.Calibrate(ctx, e, speeds, l.images, func(done, total int, what string) {
			fmt.Fprintf(os.Stderr, "measuring %d of %d: %s\n", done+1, total, what)
		})
		if err != nil {
			return l, err
		}
	}
	l.forecast, err = l.plan.Before(speeds, store, l.images)
	return l, err
}

// list prints the plans of the program in a line or two each.
func (c *reproduceCmd) list(ctx context.Context, g *globals) error {
	e, err := g.engine()
	if err != nil {
		return err
	}
	store, err := c.locate()
	if err != nil {
		return err
	}
	type entry struct {
		Name, About     string
		Sets, Runs      int
		Images, Steps   int
		Missing         []string
		ExpectedSeconds *float64 // null: not known on this machine
	}
	var out []entry
	for _, name := range study.Names() {
		p, err := study.Load(name)
		if err != nil {
			return err
		}
		l, err := look(ctx, e, store, p, false, false)
		if err != nil {
			out = append(out, entry{Name: name, About: p.About + "; " + err.Error()})
			continue
		}
		n := entry{Name: name, About: p.About, Sets: len(l.plan.Sets), Runs: len(l.forecast.Parts), Images: l.images.Len(), Steps: l.plan.Recipe(l.plan.Sets[0], "").Steps}
		for _, m := range l.missing {
			n.Missing = append(n.Missing, m.Model)
		}
		if s := l.forecast.Left().Seconds(); l.forecast.Unknown == nil {
			n.ExpectedSeconds = &s
		}
		out = append(out, n)
	}
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(out)
	}
	for _, n := range out {
		fmt.Printf("%s: %s\n", n.Name, n.About)
		if n.Runs == 0 {
			continue
		}
		expected := "how long is not known on this machine: what is not is measured before the first run"
		if n.ExpectedSeconds != nil {
			expected = "expected: " + about(time.Duration(*n.ExpectedSeconds*float64(time.Second)))
		}
		fmt.Printf("  %d model sets, %d runs of %d images, %d steps; %s\n", n.Sets, n.Runs, n.Images, n.Steps, expected)
		if n.Missing != nil {
			fmt.Printf("  the weights of %d models are missing (metamers reproduce --scale %s --dry-run lists them)\n", len(n.Missing), n.Name)
		}
	}
	return nil
}

// dryRun prints what a plan would do.
func (c *reproduceCmd) dryRun(ctx context.Context, g *globals, e *engine.Engine, store *runs.Store, p study.Plan) error {
	l, err := look(ctx, e, store, p, c.Available, c.Measure)
	if err != nil {
		return err
	}
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(struct {
			Plan     study.Plan
			Forecast *study.Forecast
			Missing  []study.MissingModel
		}{l.plan, l.forecast, l.missing})
	}
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "run\tmodel set\tstage\texpected")
	unknown := l.forecast.Unknown != nil
	for i, part := range l.forecast.Parts {
		expected := about(part.Expected)
		switch {
		case part.Stored && part.Evaluated:
			expected = "stored"
		case part.Stored:
			expected = "stored, without rows"
		case unknown && !known(l.forecast, part):
			expected = "not known"
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\n", i+1, label(l.plan, part), part.Stage, expected)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Printf("\n%s: %d images of %d² pixels (%s); %s\n%s\n", l.plan.Name, l.images.Len(), l.images.Size, l.images.Name, l.plan.Describe(), forecastLine(l.forecast))
	if l.missing != nil {
		fmt.Println((&study.MissingModelsError{Plan: l.plan.Name, Missing: l.missing}).Error())
		if l.plan.Pull {
			fmt.Println("reproduce downloads them first")
		}
	}
	return nil
}

// label names the set of a part, and the other set of a pair.
func label(p study.Plan, part study.Part) string {
	if part.Against == nil {
		return p.Label(part.Set)
	}
	return p.Label(part.Set) + " against " + p.Label(part.Against)
}

// known reports whether the speed of every model of a part is.
func known(f *study.Forecast, p study.Part) bool {
	for _, m := range slices.Concat(p.Set, p.Against) {
		for _, u := range f.Unknown {
			if u == m+", "+p.Stage {
				return false
			}
		}
	}
	return true
}
