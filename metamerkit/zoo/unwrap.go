package zoo

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/gomlx/compute/shapes"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

// wrappers are the names under which training code keeps a network: DataParallel,
// torch.compile, and a module with the network as its member model (Lightning,
// RobustBench, MadryLab/robustness).
var wrappers = []string{"module.", "_orig_mod.", "model."}

// attacker is the copy of the network that MadryLab/robustness keeps in its attack.
const attacker = "attacker."

// normaliser finds the mean and deviation that a wrapper subtracts and divides by:
// of MadryLab/robustness (new_mean, new_std), RobustBench (mean, std; mu, sigma).
var normaliser = regexp.MustCompile(`^((normalizer|normalize|normalization)\.)?(new_)?(mean|std|mu|sigma)$`)

// unwrap takes off what training code wraps a network's names in, and returns
// notes that say what it took off. A prefix goes only if every tensor has it and
// the model has no layer of that name; a wrapper's mean and deviation must be those
// of the card, since the model's graph normalises by them.
func unwrap(in map[string]*weights.Tensor, input card.Input, want map[string]shapes.Shape) (map[string]*weights.Tensor, []string, error) {
	var notes []string
	for changed := true; changed; {
		changed = false
		for _, p := range wrappers {
			if owns(want, p) || !all(in, p) {
				continue
			}
			in, changed = rename(in, p), true
			notes = append(notes, fmt.Sprintf("the prefix %q was taken off %d names", p, len(in)))
		}
		if n := count(in, attacker); n > 0 && count(in, "model.") > 0 && !owns(want, attacker) {
			in, changed = without(in, func(key string) bool { return strings.HasPrefix(key, attacker) }), true
			notes = append(notes, fmt.Sprintf("%d tensors of the attack's copy (%s…) were left out", n, attacker))
		}
		for key, t := range in {
			m := normaliser.FindStringSubmatch(key)
			if m == nil || owns(want, key) {
				continue
			}
			said, what := input.Mean, "mean"
			if m[4] == "std" || m[4] == "sigma" {
				said, what = input.Std, "std"
			}
			if err := agrees(t, said, what); err != nil {
				return nil, nil, err
			}
			in, changed = without(in, func(k string) bool { return k == key }), true
			notes = append(notes, fmt.Sprintf("%s agrees with the card's %s", key, what))
		}
	}
	slices.Sort(notes[min(len(notes), 1):]) // normalisers come in the order of a map
	return in, notes, nil
}

// owns says whether the model itself has a variable whose name begins so.
func owns(want map[string]shapes.Shape, prefix string) bool {
	for path := range want {
		if strings.HasPrefix(keyOf(path), prefix) {
			return true
		}
	}
	return false
}

func count(in map[string]*weights.Tensor, prefix string) (n int) {
	for key := range in {
		if strings.HasPrefix(key, prefix) {
			n++
		}
	}
	return n
}

func all(in map[string]*weights.Tensor, prefix string) bool {
	return len(in) > 0 && count(in, prefix) == len(in)
}

func rename(in map[string]*weights.Tensor, prefix string) map[string]*weights.Tensor {
	out := map[string]*weights.Tensor{}
	for key, t := range in {
		out[strings.TrimPrefix(key, prefix)] = t
	}
	return out
}

func without(in map[string]*weights.Tensor, drop func(key string) bool) map[string]*weights.Tensor {
	out := map[string]*weights.Tensor{}
	for key, t := range in {
		if !drop(key) {
			out[key] = t
		}
	}
	return out
}

// agrees holds a wrapper's constants against the card's, to the digits that are
// commonly written (.2471 for .24703).
func agrees(t *weights.Tensor, said [3]float64, what string) error {
	if !t.IsFloat() || t.Len() != 3 {
		return fmt.Errorf("tensor %s is %s %v, expected the %s of three channels", t.Name, t.DType, t.Shape, what)
	}
	if err := t.Load(); err != nil {
		return err
	}
	for i, v := range t.Float {
		if !(math.Abs(float64(v)-said[i]) < 1e-3) {
			return fmt.Errorf("tensor %s is %v, the card's %s is %v: the file was trained with another normalisation", t.Name, t.Float, what, said)
		}
	}
	return nil
}
