package figures

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Settings is Table 4: what the recipes of runs settle but for models and stages.
// Where runs differ in a setting its values stand with the runs that have them.
func Settings(runs ...*metamer.Run) *Table {
	t := &Table{Name: "table4", Title: "Synthesis settings", Caption: "Synthesis settings of " + map[bool]string{true: "the run", false: "all runs"}[len(runs) == 1] + " shown.",
		Columns: []Column{{Head: "setting"}, {Head: "value"}}}
	var names []string
	for _, run := range runs {
		for i, s := range settings(run) {
			if !slices.Contains(names, s.Name) { // behind the one before it
				at := 0
				if i > 0 {
					at = slices.Index(names, settings(run)[i-1].Name) + 1
				}
				names = slices.Insert(names, at, s.Name)
			}
		}
	}
	for _, name := range names {
		t.Rows = append(t.Rows, []string{name, Vary(runs, func(run *metamer.Run) string {
			for _, s := range settings(run) {
				if s.Name == name {
					return s.Value
				}
			}
			return "–"
		})})
	}
	return t
}

// Vary says what is true of runs: one text if it is the same for all, else each text with
// the stages or model sets that it holds for, or how many runs.
func Vary(runs []*metamer.Run, of func(*metamer.Run) string) string {
	var texts []string
	for _, run := range runs {
		if text := of(run); !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	if len(texts) == 1 {
		return texts[0]
	}
	for _, by := range []func(*metamer.Run) string{
		func(r *metamer.Run) string { return "at " + r.Recipe.Stage },
		func(r *metamer.Run) string {
			return map[bool]string{true: "for ensembles", false: "for single models"}[len(r.Recipe.Models) > 1]
		},
		func(r *metamer.Run) string { return "for {" + strings.Join(r.Recipe.ModelNames(), " + ") + "}" },
	} {
		if said, ok := split(runs, texts, of, by); ok {
			return said
		}
	}
	var parts []string
	for _, text := range texts {
		n := 0
		for _, run := range runs {
			if of(run) == text {
				n++
			}
		}
		parts = append(parts, text+" in "+english.Plural(n, "run", ""))
	}
	return strings.Join(parts, "; ")
}

// split tells texts apart by a property of runs that settles which holds.
func split(runs []*metamer.Run, texts []string, of, by func(*metamer.Run) string) (string, bool) {
	where, has := make([][]string, len(texts)), map[string]string{}
	for _, run := range runs {
		k, text := by(run), of(run)
		if before, ok := has[k]; ok && before != text {
			return "", false
		} else if !ok {
			i := slices.Index(texts, text)
			where[i] = append(where[i], k)
		}
		has[k] = text
	}
	var parts []string
	for i, text := range texts {
		if len(where[i]) > 4 {
			return "", false
		}
		parts = append(parts, text+" "+strings.Join(where[i], ", "))
	}
	return strings.Join(parts, "; "), true
}

// settings of a run in the order of Table 4.
func settings(run *metamer.Run) (out []metamer.Setting) {
	r, o := run.Recipe, run.Recipe.Optimizer
	add := func(name, format string, args ...any) {
		out = append(out, metamer.Setting{Name: name, Value: fmt.Sprintf(format, args...)})
	}
	add("optimiser", "%s", dash(o.Name))
	solver, _ := metamer.SolverOf(o.Name)
	if solver.Caption != nil {
		out = append(out, solver.Caption(o)...)
	}
	if solver.Choices != nil {
		add("evaluations", "%d", r.Steps)
	} else {
		add("steps", "%d", r.Steps)
		add("gradient evaluations an image", "%d", r.Evaluations(r.AllSteps()))
	}
	switch {
	case len(r.Models) == 1:
		add("schedule", "one model, every step")
	case r.Schedule.Kind == metamer.Switch:
		add("schedule", "switch every %s, order %s", english.Plural(r.Schedule.Every, "step", ""), r.Schedule.Order)
	case solver.Choices == nil:
		add("schedule", "%s", dash(r.Schedule.Kind))
	}
	add("inversion loss", "%s", dash(r.Loss))
	if a := r.Against; a != nil {
		add("against", "%s at %s: their %s difference is driven up, relative L2 distances of the members are held below a level (%s), multipliers are updated every %s", strings.Join(a.Names(), ", "), a.Stage, a.Loss, heldAt(a.Level), english.Plural(a.Every, "step", ""))
	}
	if v := r.Variants; v != nil {
		how := "from different starts"
		if v.Repel() {
			driven := "the root mean square of the difference of their pixels"
			if v.Metric == "ssim" {
				driven = "1 − SSIM of two of them"
			}
			how += "; " + driven + " is driven up, relative L2 distances of the members are held below a level (" + heldAt(v.Level) + "), multipliers are updated every " + english.Plural(v.Every, "step", "")
		}
		add("variants", "%d of each reference, %s", v.Count, how)
	}
	var penalties []string
	for _, p := range r.Penalties {
		penalties = append(penalties, fmt.Sprintf("%s × %g", p.Name, p.Weight))
	}
	if penalties == nil {
		penalties = []string{"none"}
	}
	add("penalties", "%s", strings.Join(penalties, ", "))
	if r.Start.Kind == "noise" || r.Start.Kind == "grey" {
		add("initial image", "N(%g, %g) clamped to [0,1]", r.Start.Mean, r.Start.Std)
	} else {
		add("initial image", "%s", dash(r.Start.Kind))
	}
	if r.WarmUp != nil {
		add("begun with", "%s", r.WarmUp)
	}
	if r.Round > 0 {
		add("steps on images of 8 bits", "%d", r.Round)
	}
	if r.Precision != "" {
		add("precision", "%s", r.Precision)
	}
	add("ReLU at the end of the layer", "%s", ReLUText(r))
	add("seed", "%d", r.Seed)
	add("images", "%s: %d of %d² pixels", r.Images.Name, r.Images.Count, r.Images.Size)
	null := NullText(run)
	if len(run.Nulls) > 0 && len(run.Nulls[0].SHA256) >= 12 {
		null += ", SHA-256 " + run.Nulls[0].SHA256[:12] + "…"
	}
	add("null distribution", "%s", null)
	add("backend", "%s", dash(r.Backend))
	return out
}

// NullText describes the null distribution that a run's match statistics are tested
// against.
func NullText(run *metamer.Run) string {
	if len(run.Nulls) == 0 {
		return run.Recipe.NullOf()
	}
	return run.Nulls[0].Of()
}

// smooth says whether the optimiser lowers the one-sided residual.
func smooth(r metamer.Recipe) bool {
	s, _ := metamer.SolverOf(r.Optimizer.Name)
	return s.Smooth
}

// ReLUText says what becomes of a ReLU that the layer of a stage ends in.
func ReLUText(r metamer.Recipe) string {
	switch {
	case r.PlainReLU:
		return "passes no gradient where it is off"
	case !smooth(r):
		return "passes the gradient unchanged"
	case r.Loss == "relative-l2" || r.Loss == "squared-l2":
		return "one-sided residual: units that are active in the reference are compared before the ReLU"
	}
	return "part of the loss, as it is"
}

// heldAt says at which level the match of the members is held.
func heldAt(level float64) string {
	if level > 0 {
		return fmt.Sprintf("%g", level)
	}
	return "so that the verdict passes"
}
