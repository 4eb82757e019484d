package study

import (
	"fmt"
	"math"
	"strings"

	"github.com/dustin/go-humanize/english"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Answer is a question that a reader of a study asks first, and what the runs say.
type Answer struct{ Question, Answer string }

// Answers are what the page of a study begins with.
func (r *Result) Answers() (out []Answer) {
	if len(r.Runs) == 0 {
		return nil
	}
	for _, a := range []Answer{
		{"How close?", r.howClose()},
		{"Against what?", r.against()},
		{"Are they metamers?", r.areMetamers()},
		{"Who parts from whom?", r.whoParts()},
		{"Converged?", r.converged()},
		{"Another seed?", r.anotherSeed()},
		{"Which layers, and why?", r.whichLayers()},
		{"Which images?", r.whichImages()},
		{"How were they made?", "By " + r.Study().Settings + ". Table 4 has all settings."},
	} {
		if a.Answer != "" {
			out = append(out, a)
		}
	}
	return out
}

// byStage calls do with the runs of each stage that has any, without those of pairs.
func (r *Result) byStage(do func(stage string, runs []*metamer.Run)) {
	for _, stage := range r.Plan.Stages {
		var runs []*metamer.Run
		for _, run := range r.alone() {
			if run.Recipe.Stage == stage {
				runs = append(runs, run)
			}
		}
		if runs != nil {
			do(stage, runs)
		}
	}
}

// gathered puts a number of each member of runs together.
func gathered(runs []*metamer.Run, of func(run *metamer.Run, member int) []float64) (out []float64) {
	for _, run := range runs {
		for m := range run.Recipe.Models {
			for _, v := range of(run, m) {
				if !math.IsNaN(v) {
					out = append(out, v)
				}
			}
		}
	}
	return out
}

func (r *Result) howClose() string {
	var parts []string
	r.byStage(func(stage string, runs []*metamer.Run) {
		distance := gathered(runs, func(run *metamer.Run, m int) []float64 { return closeness(run, m).distance })
		if len(distance) == 0 {
			return
		}
		parts = append(parts, fmt.Sprintf("%s: relative L2 distance %s, Pearson %s, Spearman %s", stage, spanned(distance, "%.3f"),
			spanned(gathered(runs, func(run *metamer.Run, m int) []float64 { return closeness(run, m).pearson }), "%.3f"),
			spanned(gathered(runs, func(run *metamer.Run, m int) []float64 { return closeness(run, m).spearman }), "%.3f")))
	})
	if parts == nil {
		return ""
	}
	return capital(strings.Join(parts, "; ")) + ". Each is the median over all images, sets and members, with the smallest and the largest value."
}

func (r *Result) against() string {
	var parts []string
	r.byStage(func(stage string, runs []*metamer.Run) {
		var of []string
		add := func(what string, v []float64) {
			if len(v) > 0 {
				of = append(of, fmt.Sprintf("%s %.3f", what, median(v)))
			}
		}
		add("initial image", gathered(runs, func(run *metamer.Run, m int) []float64 { return []float64{started(run, m)} }))
		add("most similar pair of the null distribution", gathered(runs, func(run *metamer.Run, m int) []float64 { return []float64{closeness(run, m).nearest} }))
		add(fmt.Sprintf("JPEG copy of the reference (quality %d)", jpegQuality), gathered(runs, func(run *metamer.Run, m int) []float64 { return []float64{r.jpeg(run.Recipe.Models[m].Name, stage)} }))
		if of != nil {
			parts = append(parts, stage+": "+strings.Join(of, ", "))
		}
	})
	if parts == nil {
		return ""
	}
	return "Relative L2 distances of the same networks, median over sets and members: " + strings.Join(parts, "; ") +
		". 0 would be equal activations. As a yardstick: a JPEG copy (hardly visible) is this far; smaller is closer."
}

func (r *Result) areMetamers() string {
	var parts []string
	r.byStage(func(stage string, runs []*metamer.Run) {
		pass, tested, all := 0, 0, 0
		for _, run := range runs {
			p, t := run.Tally()
			pass, tested, all = pass+p, tested+t, all+run.Recipe.Images.Count
		}
		text := fmt.Sprintf("%s %d of %d", stage, pass, tested)
		if tested == 0 {
			text = stage + " not tested"
		} else if tested < all {
			text += fmt.Sprintf(" (%d not tested)", all-tested)
		}
		parts = append(parts, text)
	})
	return fmt.Sprintf("Images that are metamers for every member of their set: %s. %s.", strings.Join(parts, ", "), capital(r.nulls()))
}

func (r *Result) converged() string {
	var parts []string
	all, allTold, images := 0, 0, 0
	shrinks := false
	r.byStage(func(stage string, runs []*metamer.Run) {
		rest, told := 0, 0
		for _, run := range runs {
			a, b := atRest(run)
			rest, told, images = rest+a, told+b, images+run.Recipe.Images.Count
			solver, _ := metamer.SolverOf(run.Recipe.Optimizer.Name)
			shrinks = shrinks || solver.Shrinks
		}
		all, allTold = all+rest, allTold+told
		parts = append(parts, fmt.Sprintf("%s %d of %d", stage, rest, told))
	})
	if allTold == 0 {
		return ""
	}
	text := fmt.Sprintf("%d of %s (%s). The criterion: over the last tenth of the steps the loss of an image, mean over members, changes by less than %.0f %%.", all, english.Plural(allTold, "image", ""), strings.Join(parts, ", "), 100*restChange)
	if shrinks {
		text = strings.Replace(text, ". The criterion", " came to rest. The criterion", 1) + " The step size shrinks towards the end, so that this does not say that no smaller loss can be reached: a run with more steps would."
	} else if all < allTold {
		text += " Where it still changes, more steps would bring the metamer closer."
	}
	if allTold < images {
		text += fmt.Sprintf(" Of %s the trace does not tell: it has too few losses of a member.", english.Plural(images-allTold, "image", ""))
	}
	return text
}

// fewLayers is how many layers are named in an answer.
const fewLayers = 8

func (r *Result) whichLayers() string {
	var parts []string
	for _, set := range r.Plan.Sets {
		for _, m := range set {
			for _, stage := range r.Plan.Stages {
				c := r.Cards[m]
				if c == nil {
					continue
				}
				layer, named := c.Stages[stage]
				text := fmt.Sprintf("%s of %s is %s (%s)", stage, m, layer.Layer, layer.Why)
				if !named {
					text = fmt.Sprintf("%s, a layer of %s, by its own name", stage, m)
				}
				parts = once(parts, text)
			}
		}
	}
	if n := len(parts); n > fewLayers {
		parts = append(parts[:2:2], fmt.Sprintf("%d others stand in Table 3", n-2))
	}
	if parts == nil {
		return ""
	}
	return capital(strings.Join(parts, "; ")) + "."
}

// fewNames is how many images are named in an answer.
const fewNames = 16

func (r *Result) whichImages() string {
	if r.Images == nil {
		return ""
	}
	var names []string
	each := max(r.Images.Copies, 1)
	for i := 0; i < r.Images.Len(); i += each {
		names = append(names, r.Images.Names[i])
	}
	if n := len(names); n > fewNames {
		names = append(names[:fewNames-1:fewNames-1], fmt.Sprintf("%d others", n-fewNames+1))
	}
	sum := r.Images.SHA256()
	return fmt.Sprintf("%s: %s of %d² pixels, SHA-256 %s…: %s.", r.Images.Name, r.countImages(), r.Images.Size, sum[:12], strings.Join(names, ", "))
}

// compared says how many of the images that claims compare are metamers.
func (r *Result) compared() string {
	pass, tested := 0, 0
	for _, run := range r.alone() {
		p, t := run.Tally()
		pass, tested = pass+p, tested+t
	}
	if tested == 0 {
		return "The images that these claims compare were not tested to be metamers."
	}
	return fmt.Sprintf("Of the images that these claims compare %d of %d are metamers for every member of their set; the others are compared all the same.", pass, tested)
}

// countImages says how many references there are, and how many variants of each.
func (r *Result) countImages() string {
	each := max(r.Images.Copies, 1)
	text := english.Plural(r.Images.Len()/each, "image", "")
	if each > 1 {
		text += fmt.Sprintf(" (%d variants of each)", each)
	}
	return text
}

// summary is the first sentence of the page.
func (r *Result) summary() string {
	return fmt.Sprintf("%s, %s of %d² pixels; %s at %s, %s.", r.Images.Name, r.countImages(), r.Images.Size,
		english.Plural(len(r.Plan.Sets), "model set", ""), english.Plural(len(r.Plan.Stages), "stage", ""), english.Plural(len(r.Plan.Observers), "observer", ""))
}
