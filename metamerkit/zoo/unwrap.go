package zoo

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/gomlx/compute/shapes"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

// wrappers are the names under which training code keeps a network: DataParallel and
// AveragedModel, torch.compile, a module with the network as a member (Lightning, RobustBench,
// MadryLab/robustness, MoCo, timm's wrappers), and a Sequential that begins with the network
// or with a normalisation.
var wrappers = []string{"module.", "_orig_mod.", "model.", "net.", "network.", "backbone.", "encoder_q.", "timm_model.", "encoder.", "0.", "1."}

// attacker is the copy of the network that MadryLab/robustness keeps in its attack.
const attacker = "attacker."

// normaliser finds the mean and deviation that a wrapper subtracts and divides by:
// of MadryLab/robustness (new_mean, new_std), RobustBench (mean, std; mu, sigma), and those of
// a Sequential.
var normaliser = regexp.MustCompile(`^((normalizer|normalize|normalization|norm|preprocess|0)\.)?(new_)?(mean|std|mu|sigma)$`)

// wrapping is what training code may have wrapped a network in.
type wrapping struct {
	card  *card.Card
	want  map[string]shapes.Shape
	adapt []Adapt
	off   string // what unwrap has taken off all names
}

// unwrap takes off what training code wraps a network's names in, and returns
// notes that say what it took off. A prefix that all tensors have goes if the model has no
// layer of that name. One that some have goes if the tensors that have it are the network's;
// the others are left out, but a wrapper's mean and deviation must be those
// of the card, since the model's graph normalises by them.
func (w wrapping) unwrap(in map[string]*weights.Tensor) (map[string]*weights.Tensor, []string, error) {
	var notes []string
	var err error
	if p := w.card.Weights.Strip; p != "" {
		if dotted := p + "."; !strings.HasSuffix(p, ".") && count(in, dotted) > 0 {
			p = dotted
		}
		if count(in, p) == 0 {
			return nil, nil, fmt.Errorf("no tensor has the prefix %q (--strip); names begin with %s", p, strings.Join(beginnings(in), ", "))
		}
		if in, notes, err = w.take(in, p); err != nil {
			return nil, nil, err
		}
	}
	for changed := true; changed; {
		changed = false
		for _, p := range wrappers {
			if owns(w.want, p) || !all(in, p) {
				continue
			}
			in, changed = under(in, p), true
			w.off += p
			notes = append(notes, fmt.Sprintf("the prefix %q was taken off %d names", p, len(in)))
		}
		if n := count(in, attacker); n > 0 && count(in, "model.") > 0 && !owns(w.want, attacker) {
			in, changed = without(in, func(key string) bool { return strings.HasPrefix(key, attacker) }), true
			notes = append(notes, fmt.Sprintf("%d tensors of the attack's copy (%s…) were left out", n, attacker))
		}
		for key, t := range in {
			if normaliser.MatchString(key) && !owns(w.want, key) {
				note, err := w.normalises(key, t)
				if err != nil {
					return nil, nil, err
				}
				in, changed = without(in, func(k string) bool { return k == key }), true
				notes = append(notes, note)
			}
		}
		if changed {
			continue
		}
		for _, p := range wrappers {
			if owns(w.want, p) || count(in, p) == 0 || w.fits(under(in, p)) <= w.fits(in) {
				continue
			}
			var more []string
			if in, more, err = w.take(in, p); err != nil {
				return nil, nil, err
			}
			notes, changed = append(notes, more...), true
			w.off += p
			break
		}
	}
	slices.Sort(notes[min(len(notes), 1):]) // normalisers come in the order of a map
	return in, notes, nil
}

// read unwraps the names and puts right what the family's files name in other ways. Where the
// network is not there then, it is looked for under any other prefix.
func (w wrapping) read(in map[string]*weights.Tensor) (map[string]*weights.Tensor, []string, error) {
	in, notes, err := w.unwrap(in)
	if err != nil {
		return nil, nil, err
	}
	out, err := w.adapted(in)
	if err != nil || w.count(out) == len(w.want) {
		return out, notes, err
	}
	switch all := w.elsewhere(in); len(all) {
	case 0:
		return out, notes, nil
	case 1:
		in, more, err := w.take(in, all[0])
		if err == nil {
			in, err = w.adapted(in)
		}
		return in, append(notes, more...), err
	default:
		return nil, nil, fmt.Errorf("it holds the network more than once: name the prefix of the one to read (--strip %s)", strings.Join(all, " or --strip "))
	}
}

// adapted puts right what the family's files name in other ways.
func (w wrapping) adapted(in map[string]*weights.Tensor) (map[string]*weights.Tensor, error) {
	for _, a := range w.adapt {
		var err error
		if in, err = a(in); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// take takes a prefix off the tensors that have it and leaves out the others.
func (w wrapping) take(in map[string]*weights.Tensor, prefix string) (map[string]*weights.Tensor, []string, error) {
	out := under(in, prefix)
	notes := []string{fmt.Sprintf("the prefix %q was taken off %d names", prefix, len(out))}
	var left []string
	for _, key := range slices.Sorted(maps.Keys(in)) {
		if strings.HasPrefix(key, prefix) {
			continue
		}
		if normaliser.MatchString(key) {
			note, err := w.normalises(key, in[key])
			if err != nil {
				return nil, nil, err
			}
			notes = append(notes, note)
			continue
		}
		left = append(left, key)
	}
	for _, p := range w.elsewhere(in) {
		if !strings.HasPrefix(p, prefix) && w.card.Weights.Strip == "" {
			notes = append(notes, fmt.Sprintf("the file has a second state dict: --strip %s", w.off+p))
		}
	}
	if left != nil {
		notes = append(notes, fmt.Sprintf("%s without it left out: %s", counted(left), some(left)))
	}
	return out, notes, nil
}

// normalises holds a wrapper's mean or deviation against the card's.
func (w wrapping) normalises(key string, t *weights.Tensor) (note string, err error) {
	m := normaliser.FindStringSubmatch(key)
	said, what := w.card.Input.Mean, "mean"
	if m[4] == "std" || m[4] == "sigma" {
		said, what = w.card.Input.Std, "std"
	}
	return fmt.Sprintf("%s agrees with the card's %s", key, what), agrees(t, said, what)
}

// fits counts the tensors of the model that are there, in any naming of the family.
func (w wrapping) fits(in map[string]*weights.Tensor) int {
	out, err := w.adapted(in)
	if err != nil {
		return 0
	}
	return w.count(out)
}

// count counts the tensors of the model that are there by their names and shapes.
func (w wrapping) count(in map[string]*weights.Tensor) (n int) {
	for key, t := range in {
		if s, ok := w.want["/"+strings.ReplaceAll(key, ".", "/")]; ok && slices.Equal(layout(key, t.Shape), s.Dimensions) {
			n++
		}
	}
	return n
}

// elsewhere lists the prefixes, none of them usual, under which the whole network is.
func (w wrapping) elsewhere(in map[string]*weights.Tensor) (out []string) {
	longest := "" // the name of the model's that tells most
	for path := range w.want {
		if key := keyOf(path); len(key) > len(longest) || len(key) == len(longest) && key < longest {
			longest = key
		}
	}
	for _, key := range slices.Sorted(maps.Keys(in)) {
		if p, ok := strings.CutSuffix(key, "."+longest); ok && w.fits(under(in, p+".")) == len(w.want) {
			out = append(out, p+".")
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
			return fmt.Errorf("tensor %s is %v, the card's %s is %v: the file was trained with another normalisation (give --%s)", t.Name, t.Float, what, said, what)
		}
	}
	return nil
}
