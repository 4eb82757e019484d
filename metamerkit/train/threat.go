package train

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Threat is what an adversary may change: every image by at most Epsilon in a norm
// over its pixels in [0,1].
type Threat struct {
	Norm    string  `json:"norm,omitempty"` // linf | l2; "": nothing
	Epsilon float64 `json:"epsilon,omitempty"`
}

// Norms names the norms of a Threat.
var Norms = []string{"linf", "l2"}

// ParseThreat reads NORM:EPSILON, such as linf:8/255 or l2:0.5.
func ParseThreat(s string) (Threat, error) {
	norm, eps, _ := strings.Cut(s, ":")
	a, b, fraction := strings.Cut(eps, "/")
	v, err := strconv.ParseFloat(a, 64)
	if fraction && err == nil {
		var d float64
		if d, err = strconv.ParseFloat(b, 64); err == nil {
			v /= d
		}
	}
	if err != nil {
		return Threat{}, fmt.Errorf("threat %q: expected NORM:EPSILON, such as linf:8/255 or l2:0.5", s)
	}
	t := Threat{norm, v}
	return t, t.check()
}

func (t Threat) check() error {
	if t.Norm != "linf" && t.Norm != "l2" {
		return fmt.Errorf("threat: %w", metamer.Unknown("norm", t.Norm, Norms))
	}
	if !(t.Epsilon >= 0) || math.IsInf(t.Epsilon, 0) {
		return fmt.Errorf("threat: epsilon is %v, expected a number of 0 or more", t.Epsilon)
	}
	return nil
}

// String is "L∞ 8/255", "L2 0.5" or "none".
func (t Threat) String() string {
	switch t.Norm {
	case "linf":
		if n := t.Epsilon * 255; math.Abs(n-math.Round(n)) < 1e-6 {
			return fmt.Sprintf("L∞ %.0f/255", n)
		}
		return fmt.Sprintf("L∞ %.4g", t.Epsilon)
	case "l2":
		return fmt.Sprintf("L2 %.4g", t.Epsilon)
	}
	return "none"
}

// method is how adversarial training crafts its images.
type method struct {
	steps int     // gradients
	noise float64 // start: uniform noise of that many ε
	step  float64 // length of a step, in ε
	clip  bool    // project into the ε-ball
}

// parseMethod reads nfgsm, pgd:STEPS or fgsm.
func parseMethod(s string) (method, error) {
	switch s {
	case "nfgsm":
		// De Jorge et al. 2022 (arXiv:2202.01181): noise of twice the size of the step,
		// and no projection; it does not collapse as fgsm does.
		return method{1, 2, 1, false}, nil
	case "fgsm":
		// Goodfellow et al. 2015; collapses (Wong et al. 2020, arXiv:2001.03994). It is
		// here to show what the watch is for.
		return method{1, 0, 1, true}, nil
	}
	if k, ok := strings.CutPrefix(s, "pgd:"); ok {
		if n, err := strconv.Atoi(k); err == nil && n >= 1 && n <= 1000 {
			// Madry et al. 2018 (arXiv:1706.06083).
			return method{n, 1, min(2.5/float64(n), 1), true}, nil
		}
	}
	return method{}, fmt.Errorf("train: method %q: expected nfgsm, pgd:STEPS or fgsm", s)
}

// average is how weights are averaged.
type average struct {
	decay float64 // ema
	from  float64 // swa: share of the steps
}

func parseAverage(s string) (a average, err error) {
	kind, arg, _ := strings.Cut(s, ":")
	v, bad := strconv.ParseFloat(arg, 64)
	switch {
	case s == "":
		return average{}, nil
	case bad == nil && kind == "ema" && v > 0 && v < 1:
		return average{decay: v}, nil
	case bad == nil && kind == "swa" && v >= 0 && v < 1:
		return average{from: v}, nil
	}
	return a, fmt.Errorf("train: average %q: expected ema:DECAY or swa:SHARE, a number below 1", s)
}

// keep returns the share of the old average that step (from 0) of n keeps.
func (a average) keep(step, n int) float64 {
	if a.decay > 0 { // rising, so that the first weights are forgotten
		return min(a.decay, float64(1+step)/float64(10+step))
	}
	first := int(a.from * float64(n))
	if step <= first {
		return 0
	}
	k := float64(step - first)
	return k / (k + 1)
}
