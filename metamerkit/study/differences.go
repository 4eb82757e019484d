package study

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"

	"github.com/ensemble-metamers/metamers/metamerkit/claims"
	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Difference is a choice of ours where the paper is silent or does otherwise.
type Difference struct {
	Topic, Paper string
	Offers       string // what the program does, and what a plan can choose
	// here says what a study did, from its recipes and rows; "" where it did nothing of
	// the kind.
	here func(*Result) string
}

// Paper is the source of the experiment.
const Paper = "Boehm et al. 2025, Understanding Cross-Model Perceptual Invariances Through Ensemble Metamers, arXiv:2504.01739"

// Differences from the paper, in the order of the experiment. docs/differences.md
// shows them with Offers, the page of a study with what the study did.
var Differences = []Difference{
	{"figures and tables", "seven figures and five tables; the captions of Figures 6 and 7 and of the tables are not public",
		"Figure 6 shows image metrics and Figure 7 JSD, both of single-model metamers; the tables show models, model sets, stages, settings and results", (*Result).hereFigures},
	{"models", "ImageNet networks",
		"the plan names them; the plan quick uses the carried networks, which were trained on CIFAR-10 at 32²", (*Result).hereModels},
	{"stages", "early, middle and late; the layers are not named",
		"one named layer of each model stands for a stage, and the model's card says why (Table 3)", (*Result).hereStages},
	{"inversion loss", "distance of activations, averaged over members",
		"relative L2 distance of each image (Feather et al. 2023); squared L2, cosine and correlation by name", (*Result).hereLoss},
	{"independence", "not said",
		"the images of a batch do not influence each other", (*Result).hereBatch},
	{"step", "projected gradient descent",
		"pgd (settings: paper): step size × gradient / (L2 norm of each image's gradient + 1e-10), then clamped to [0,1]; the step size is 1 and is halved at 8 equal intervals (Feather et al. 2023). fast by default, others by name", (*Result).hereStep},
	{"steps", "5000",
		"the plan's (Table 4)", (*Result).hereSteps},
	{"ensembles", "the active model switches every few steps",
		"switch: another model every 10 steps, in the order of the set; average: all members at every step. lbfgs always averages", (*Result).hereSchedule},
	{"initial image", "not said",
		"N(0.5, 0.05) clamped to [0,1], the same for every stage and set; other starts by name", (*Result).hereStart},
	{"ReLU at the end of a layer", "not said",
		"passes the gradient unchanged (Feather et al. 2023), has a one-sided residual with lbfgs and fourier (docs/fast.md), or is left as it is by request", (*Result).hereReLU},
	{"did it work?", "not said",
		"each image and member is tested: Pearson, Spearman and SNR of the activations above those of all pairs of a null distribution, and the same class", (*Result).hereMatch},
	{"recognizability", "share of metamers given the reference's class",
		"the same, for members and other observers apart, with 95 % bootstrap intervals over images; the class is the one that the observer gives the reference, not the label, unless asked for", (*Result).hereRecognizability},
	{"similarity", "JSD of representational similarity distributions",
		fmt.Sprintf("Pearson correlations of activations over all pairs of images, in bins shared by both distributions, in bits; the interval resamples images; at least %d images are needed", metamer.MinImages), (*Result).hereSimilarity},
	{"image metrics", "several, some normalised",
		"those of docs/metrics.md, each tested against a reference implementation; the axis of a normalised one says so", (*Result).hereMetrics},
	{"claims", "in words",
		"each with a test, a number, an interval and a verdict, which may be “undecided”; a plan that cannot decide a claim does not test it", (*Result).hereClaims},
}

const differencesTitle = "Differences from the paper"

// DifferencesTable says how this study differs from the paper, from its recipes and
// rows.
func (r *Result) DifferencesTable() *figures.Table {
	t := &figures.Table{Name: "differences", Title: differencesTitle, Caption: "How this study differs from the paper, and what it did where the paper is silent.",
		Columns: []figures.Column{{Head: "topic"}, {Head: "paper"}, {Head: "here"}}}
	for _, d := range Differences {
		if here := d.here(r); here != "" {
			t.Rows = append(t.Rows, []string{d.Topic, d.Paper, here})
		}
	}
	return t
}

// vary says what is true of the recipes of all runs.
func (r *Result) vary(of func(metamer.Recipe) string) string {
	runs := r.made()
	if len(runs) == 0 {
		return ""
	}
	return figures.Vary(runs, func(run *metamer.Run) string { return of(run.Recipe) })
}

func (r *Result) hereFigures() string {
	var drawn []string
	for _, name := range r.Available(FigureNames) {
		n := strings.TrimPrefix(name, "figure")
		switch name {
		case "figure6":
			n += " (image metrics of single-model metamers)"
		case "figure7":
			n += " (JSD of single-model metamers)"
		}
		drawn = append(drawn, n)
	}
	if drawn == nil {
		return ""
	}
	return "Figures " + english.OxfordWordSeries(drawn, "and")
}

func (r *Result) hereModels() string {
	count := map[string]int{}
	var labels, sizes []string
	models := r.models()
	for _, name := range models {
		c := r.Cards[name]
		if c == nil {
			return ""
		}
		count[c.Kind]++
		labels, sizes = once(labels, c.Labels), once(sizes, fmt.Sprintf("%d²", c.Input.Size))
	}
	var kinds []string
	if n := count["cnn"]; n > 0 {
		kinds = append(kinds, english.Plural(n, "convolutional network", ""))
	}
	if n := count["transformer"]; n > 0 {
		kinds = append(kinds, english.Plural(n, "transformer", ""))
	}
	return fmt.Sprintf("%s with the classes of %s, made for images of %s (Table 1)", strings.Join(kinds, " and "), strings.Join(labels, " and "), strings.Join(sizes, " and "))
}

func (r *Result) hereStages() string {
	return strings.Join(r.Plan.Stages, ", ") + ": one named layer of each model (Table 3)"
}

func (r *Result) hereLoss() string {
	return r.vary(func(rec metamer.Recipe) string {
		text := metamer.LossAbout(rec.Loss)
		for _, p := range rec.Penalties {
			text += fmt.Sprintf(", and the penalty %s × %g", p.Name, p.Weight)
		}
		return text
	})
}

func (r *Result) hereBatch() string {
	return r.vary(func(rec metamer.Recipe) string {
		if rec.Batch < 1 {
			return ""
		}
		return fmt.Sprintf("batches of %s, which do not influence each other", english.Plural(min(rec.Batch, max(rec.Images.Count, 1)), "image", ""))
	})
}

func (r *Result) hereStep() string {
	return r.vary(func(rec metamer.Recipe) string {
		solver, _ := metamer.SolverOf(rec.Optimizer.Name)
		if solver.Sentence == nil {
			return ""
		}
		text := solver.Sentence(rec.Optimizer)
		if solver.Choices != nil {
			return text
		}
		if rec.WarmUp != nil {
			text += fmt.Sprintf("; begun with %s", rec.WarmUp)
		}
		if rec.Round > 0 {
			text += fmt.Sprintf("; then %s on images of 8 bits", english.Plural(rec.Round, "step", ""))
		}
		return text + "; pixels are clamped to [0,1]"
	})
}

func (r *Result) hereSteps() string {
	return r.vary(func(rec metamer.Recipe) string {
		if n := rec.Evaluations(rec.Steps); n != rec.Steps {
			return fmt.Sprintf("%d (%d gradient evaluations an image)", rec.Steps, n)
		}
		return fmt.Sprint(rec.Steps)
	})
}

func (r *Result) hereSchedule() string {
	runs := slices.DeleteFunc(slices.Clone(r.made()), func(run *metamer.Run) bool { return len(run.Recipe.Models) < 2 })
	if len(runs) == 0 {
		return "there are no ensembles in this study"
	}
	return figures.Vary(runs, func(run *metamer.Run) string {
		s := run.Recipe.Schedule
		switch s.Kind {
		case metamer.Switch:
			order := "in the order of the set"
			if s.Order == "random" {
				order = "in a random order each round"
			}
			return fmt.Sprintf("the active model switches every %s, %s", english.Plural(s.Every, "step", ""), order)
		case metamer.Average:
			return "all members are evaluated at every step and their losses averaged"
		}
		return "chosen by the optimiser"
	})
}

func (r *Result) hereStart() string {
	return r.vary(func(rec metamer.Recipe) string {
		switch s := rec.Start; s.Kind {
		case "noise", "grey":
			return fmt.Sprintf("N(%g, %g) clamped to [0,1] by the seed %d, the same for every stage and set", s.Mean, s.Std, rec.Seed)
		case "uniform":
			return fmt.Sprintf("uniform in [0,1) by the seed %d, the same for every stage and set", rec.Seed)
		case "reference":
			return "the reference itself"
		case "image":
			return "a given image, " + s.Image
		}
		return ""
	})
}

func (r *Result) hereReLU() string {
	return r.vary(func(rec metamer.Recipe) string {
		return figures.ReLUText(rec)
	})
}

func (r *Result) hereMatch() string {
	runs := r.made()
	if len(runs) == 0 {
		return ""
	}
	return figures.Vary(runs, func(run *metamer.Run) string {
		if len(run.Nulls) > 0 && run.Nulls[0].Untested() != "" {
			return "no image is tested: " + run.Nulls[0].Untested()
		}
		return "Pearson, Spearman and SNR of each image and member above those of the null distribution, and the same class; null distribution: " + figures.NullText(run)
	})
}

func (r *Result) hereRecognizability() string {
	members, others := 0, 0
	for _, o := range r.Plan.Observers {
		if slices.ContainsFunc(r.Rows, func(row metamer.Row) bool { return row.Observer == o && row.Measure == metamer.Recognizability }) {
			if slices.ContainsFunc(r.Plan.Sets, func(set []string) bool { return slices.Contains(set, o) }) {
				members++
			} else {
				others++
			}
		}
	}
	if members+others == 0 {
		return ""
	}
	text := fmt.Sprintf("share of images that an observer gives the class which it gives the reference; %s, of which %d %s of a set",
		english.Plural(members+others, "observer", ""), members, english.PluralWord(members, "is a member", "are members"))
	return text + fmt.Sprintf("; 95 %% intervals by %d resamples of images", cmp.Or(r.Plan.Bootstrap, evaluate.DefaultResamples))
}

func (r *Result) hereSimilarity() string {
	if !slices.Contains(r.Plan.measures(), "jsd") {
		return ""
	}
	if why := r.withheld(); why != "" {
		return "withheld: " + why
	}
	for _, row := range r.Rows {
		if row.Measure == metamer.JSD && row.Count > 1 {
			return fmt.Sprintf("JSD of Pearson correlations of activations over all %d pairs of %d images, in %d bins shared by both distributions, in bits; the interval resamples images", row.Count*(row.Count-1)/2, row.Count, evaluate.DefaultBins)
		}
	}
	return ""
}

// withheld says why the study has no JSD, "" if it has.
func (r *Result) withheld() (why string) {
	for _, row := range r.Rows {
		if row.Measure != metamer.JSD || row.Image >= 0 {
			continue
		}
		w := cmp.Or(row.Withheld(), row.Reason)
		if w == "" || row.Count > 0 && row.Withheld() == "" {
			return ""
		}
		why = w
	}
	return why
}

func (r *Result) hereMetrics() string {
	var names, normalised []string
	for _, m := range figures.Metrics {
		if slices.ContainsFunc(r.Rows, func(row metamer.Row) bool { return row.Measure == m.Name && row.Set != "" }) {
			names = append(names, cmp.Or(m.Title, m.Name))
			if m.Normalised {
				normalised = append(normalised, cmp.Or(m.Title, m.Name))
			}
		}
	}
	if names == nil {
		return ""
	}
	text := strings.Join(names, ", ")
	if normalised != nil {
		text += "; divided by the largest value shown: " + strings.Join(normalised, ", ")
	}
	return text
}

func (r *Result) hereClaims() string {
	list, err := r.Claims()
	if err != nil {
		return ""
	}
	if n := len(claims.Tested(list)); n > 0 {
		return fmt.Sprintf("%d of %d are tested, with an interval over images and p corrected for their number (Holm)", n, len(list))
	}
	return "not tested by this study"
}

// once appends what is not there.
func once(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}
