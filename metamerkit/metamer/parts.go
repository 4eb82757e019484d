package metamer

import "slices"

// loss is an inversion loss of an image; synth/loss.go has its formula.
type loss struct{ name, about string }

var losses = []loss{
	{"relative-l2", "relative L2 distance of each image (Feather et al. 2023)"},
	{"squared-l2", "squared L2 distance of each image"},
	{"cosine", "cosine distance of each image"},
	{"correlation", "1 − Pearson correlation of each image"},
}

// start is an image that a synthesis begins from. One that is drawn from a normal
// distribution has its default mean and standard deviation. engine/start.go makes it.
type start struct {
	name      string
	mean, std float64
}

var starts = []start{
	{"noise", 0.5, 0.05},
	{name: "uniform"},
	{name: "reference"},
	{name: "image"},
	{"grey", 0.5, 0.001},
}

// The names of losses, penalties (synth/loss.go has their formulas) and starts. The first
// loss and the first start are the defaults.
var (
	Losses    = column(losses, func(l loss) string { return l.name })
	Penalties = []string{"tv", "grey"}
	Starts    = column(starts, func(s start) string { return s.name })
)

// LossAbout says what the loss of a name is, in a few words. It is "" for other names.
func LossAbout(name string) string {
	if i := slices.Index(Losses, name); i >= 0 {
		return losses[i].about
	}
	return ""
}

// withDefaults sets the fields that are unset.
func (s Start) withDefaults() Start {
	def(&s.Kind, Starts[0])
	if i := slices.Index(Starts, s.Kind); i >= 0 {
		def(&s.Mean, starts[i].mean)
		def(&s.Std, starts[i].std)
	}
	return s
}

// column returns a value of each row.
func column[T any](rows []T, of func(T) string) (out []string) {
	for _, r := range rows {
		out = append(out, of(r))
	}
	return out
}
