package metamer

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Against asks for metamers that tell two model sets apart (docs/against.md): each member
// of the recipe's set matches the reference, each of these models differs from it as much
// as can be.
type Against struct {
	Models []ModelRef `json:"models"`
	Stage  string     `json:"stage" yaml:"stage,omitempty"` // at which they are compared, or a layer; default the recipe's
	// Loss is the difference that is driven up, one of Losses; default correlation.
	Loss string `json:"loss" yaml:"loss,omitempty"`
	// Level is the largest relative L2 distance of a member of the recipe's set; 0: for each
	// member and image one under which the verdict is to pass.
	Level float64 `json:"level,omitempty" yaml:"level,omitempty"`
	// Every is the number of steps after which the multipliers of the constraints are
	// updated, default 10.
	Every int `json:"every" yaml:"every,omitempty"`
	// Method counts the ways in which this program has solved the problem: 2, and 0 in runs of
	// before, so that a run solved in another way has another ID. Recipes leave it 0.
	Method int `json:"method,omitempty" yaml:"-"`
}

// method is the present Against.Method.
const method = 2

// withDefaults sets the fields that are unset.
func (a Against) withDefaults(r Recipe) *Against {
	def(&a.Stage, r.Stage)
	def(&a.Loss, "correlation")
	def(&a.Every, 10)
	def(&a.Method, method)
	return &a
}

// validate reports what cannot be carried out.
func (a *Against) validate(r Recipe) error {
	if a == nil {
		return nil
	}
	if len(a.Models) == 0 {
		return fmt.Errorf("against: no model given")
	}
	if a.Method != 0 && a.Method != method {
		return fmt.Errorf("against: the method is %d, expected %d, that of this program", a.Method, method)
	}
	seen := map[string]bool{}
	for _, m := range r.Models {
		seen[m.Name] = true
	}
	for _, m := range a.Models {
		if seen[m.Name] {
			return fmt.Errorf("against: model %s appears twice, expected two sets without a common model", m.Name)
		}
		seen[m.Name] = true
	}
	if err := check("loss", a.Loss, Losses); err != nil {
		return fmt.Errorf("against: %w", err)
	}
	return nil
}

// Refs refers to models by their names; the engine fills in the rest.
func Refs(names ...string) (refs []ModelRef) {
	for _, n := range names {
		refs = append(refs, ModelRef{Name: n})
	}
	return refs
}

// Names lists the models in order.
func (a *Against) Names() []string {
	if a == nil {
		return nil
	}
	return names(a.Models)
}

func names(refs []ModelRef) []string {
	out := make([]string, len(refs))
	for i, m := range refs {
		out[i] = m.Name
	}
	return out
}

// Tapped are all models whose gradients a run evaluates: the members and, behind them, those
// of Against.
func (r Recipe) Tapped() []ModelRef {
	if r.Against == nil {
		return r.Models
	}
	return slices.Concat(r.Models, r.Against.Models)
}

// TappedNames lists the names of Tapped.
func (r Recipe) TappedNames() []string { return append(r.ModelNames(), r.Against.Names()...) }

// StageOf is the stage at which model i of Tapped is read.
func (r Recipe) StageOf(i int) string {
	if i >= len(r.Models) {
		return r.Against.Stage
	}
	return r.Stage
}

// Opponents says what metamers are to differ for, "" for nothing: " against {C, D}", with the
// stage of these models if it is another, or ", 4 variants of each image".
func (r Recipe) Opponents() string {
	if v := r.Variants; v != nil {
		text := fmt.Sprintf(", %d variants of each image", v.Count)
		switch {
		case !v.Repel():
			text += " from different starts"
		case v.Metric == "ssim":
			text += " by SSIM"
		}
		return text
	}
	if r.Against == nil {
		return ""
	}
	text := " against {" + strings.Join(r.Against.Names(), ", ") + "}"
	if r.Against.Stage != "" && r.Against.Stage != r.Stage {
		text += " at " + r.Against.Stage
	}
	return text
}

// Apart returns for each image whether it is a metamer for every member and for none of the
// models that the run is against: Pass if it is, Fail if not, NotTested where that is not
// known.
func (r *Run) Apart() []string {
	out := r.Outcomes()
	none := r.outcomes(r.Against, func(e MatchStatistics) string {
		switch e.Verdict {
		case Pass:
			return Fail
		case Fail:
			return Pass
		}
		return NotTested
	})
	for i := range out {
		switch {
		case out[i] == Fail || none[i] == Fail:
			out[i] = Fail
		case none[i] == NotTested:
			out[i] = NotTested
		}
	}
	return out
}

// Parted returns how many images are tested, and how many of these are metamers for every
// member and for none of the models that the run is against.
func (r *Run) Parted() (parted, tested int) { return tally(r.Apart()) }

// apartText says how many images are so in one phrase, with the interval of their share.
func (r *Run) apartText() string {
	parted, tested := r.Parted()
	others := strings.Join(r.Recipe.Against.Names(), ", ")
	if tested == 0 {
		return "not tested against {" + others + "}"
	}
	low, high := Wilson(parted, tested, z95)
	return fmt.Sprintf("%d of %d are metamers for every member and for none of {%s} (share %.2f, 95 %% interval %.2f–%.2f)", parted, tested, others, float64(parted)/float64(tested), low, high)
}

// z95 is the quantile of the normal distribution between whose signs 95 % lie.
const z95 = 1.959963984540054

// Wilson returns the score interval (Wilson 1927) of a proportion of k among n, for the
// quantile z of the normal distribution.
func Wilson(k, n int, z float64) (low, high float64) {
	p, m := float64(k)/float64(n), float64(n)
	middle := p + z*z/(2*m)
	half := z * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	scale := 1 + z*z/m
	return max((middle-half)/scale, 0), min((middle+half)/scale, 1)
}
