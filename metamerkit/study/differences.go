package study

import "github.com/ensemble-metamers/metamers/metamerkit/figures"

// Difference is a choice of ours where the paper is silent or does otherwise.
type Difference struct{ Topic, Paper, Ours string }

// Paper is the source of the experiment.
const Paper = "Boehm et al. 2025, Understanding Cross-Model Perceptual Invariances Through Ensemble Metamers, arXiv:2504.01739"

// Differences from the paper, in the order of the experiment. docs/differences.md
// shows them too.
var Differences = []Difference{
	{"figures and tables", "seven figures and five tables; the captions of Figures 6 and 7 and of the tables are not public", "Figure 6: image metrics, Figure 7: JSD, both of single-model metamers; tables: models, model sets, stages, settings, numbers"},
	{"models", "ImageNet networks", "whatever the plan names; the quick plan uses networks of CIFAR-10 at 32²"},
	{"stages", "early, middle, late, without layers", "one named layer of each model, with the reason (Table 3)"},
	{"inversion loss", "distance of activations, averaged over members", "relative L2 distance per image (Feather et al. 2023); others by name"},
	{"independence", "not said", "images of a batch never influence each other"},
	{"step", "projected gradient descent", "step size × gradient / (L2 norm per image + 1e-10), clamp to [0,1]; step size 1 halved at 8 equal intervals (Feather et al. 2023)"},
	{"steps", "5000", "the plan's (Table 4); the quick plan takes fewer"},
	{"ensembles", "the active model switches every few steps", "every 10 steps in the order of the set; all members at once by request"},
	{"initial image", "not said", "N(0.5, 0.05) clamped to [0,1], the same for every stage and set"},
	{"last ReLU of a stage", "not said", "passes the gradient unchanged (Feather et al. 2023)"},
	{"did it work?", "not said", "for each image and member Pearson, Spearman and SNR above every one of a null distribution of random image pairs, and the same class"},
	{"recognizability", "share of metamers given the reference's class", "the same, members and other observers apart, with 95 % bootstrap intervals over images; the observer's class of the reference, not the label, unless asked for"},
	{"similarity", "JSD of representational similarity distributions", "Pearson correlations of activations over all image pairs, bins shared by both distributions, in bits; the interval resamples images; bias-corrected and bin-free estimates beside it"},
	{"image metrics", "several, some normalised", "those of docs/metrics.md, each held against a reference implementation; normalised ones say so on their axis"},
	{"claims", "in words", "each with the test, the number, the interval and a verdict, which may be: undecided"},
}

// DifferencesTable renders Differences.
func DifferencesTable() *figures.Table {
	t := &figures.Table{Name: "differences", Title: "How ours differs from the paper", Caption: "How this experiment differs from the paper, and what it settles where the paper is silent.",
		Columns: []figures.Column{{Head: "topic"}, {Head: "paper"}, {Head: "here"}}}
	for _, d := range Differences {
		t.Rows = append(t.Rows, []string{d.Topic, d.Paper, d.Ours})
	}
	return t
}
