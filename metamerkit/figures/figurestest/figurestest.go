// Package figurestest makes up studies and runs to draw: for tests and examples.
package figurestest

import (
	"hash/fnv"
	"math"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

const reason = "a reason, of words"

// noise is a number in [0,1) that depends on nothing but its name.
func noise(name string) float64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	x := h.Sum64()
	x ^= x >> 31
	x *= 0x9E3779B97F4A7C15
	return float64(x>>11) / (1 << 53)
}

// Study has made-up values for sets of CNNs and transformers of two kinds of
// training. They depend on nothing but their names.
func Study() *figures.Study {
	s := &figures.Study{Cards: map[string]*card.Card{}, Settings: "pgd, 1000 steps, start from noise, relative L2 loss"}
	for _, m := range []struct{ name, kind, training string }{
		{"resnet20", "cnn", "standard"}, {"vgg11", "cnn", "standard"}, {"resnet20.linf8", "cnn", "robust"}, {"vgg11.linf8", "cnn", "robust"},
		{"vit_tiny_patch16_224.augreg_in21k_ft_in1k", "transformer", "standard"}, {"cct_small.linf8", "transformer", "robust"},
	} {
		s.Cards[m.name] = &card.Card{
			Name: m.name, Kind: m.kind, Training: m.training, Licence: "none", Weights: card.Weights{Source: "made up"},
			Measured: []card.Measured{{Data: "cifar10 test", Accuracy: 91.73}},
			Stages:   map[string]card.Layer{"early": {Layer: "layer1", Why: reason}, "middle": {Layer: "layer2", Why: reason}, "late": {Layer: "layer3", Why: reason}},
		}
		s.Observers = append(s.Observers, m.name)
	}
	s.Cards["resnet20"].Parameters = 1234567
	o := s.Observers
	s.Sets = [][]string{{o[0]}, {o[0], o[1]}, {o[4]}, {o[2], o[3]}, {o[2]}, {o[5]}, {o[0], o[2], o[4]}}
	nan := math.NaN()
	add := func(r metamer.Row, spread float64) {
		r.Image, r.Low, r.High = -1, r.Value-spread, r.Value+spread
		s.Rows = append(s.Rows, r)
	}
	for _, m := range figures.Metrics {
		s.Rows = append(s.Rows, metamer.Row{Measure: m.Name, Image: -1, Value: 10 * noise(m.Name), Low: nan, High: nan})
	}
	for k, stage := range metamer.Stages {
		for _, set := range s.Sets {
			name := figures.SetName(set)
			for i, who := range []string{metamer.Members, metamer.NonMembers} {
				add(metamer.Row{Set: name, Stage: stage, Observer: who, Measure: metamer.Recognizability, Value: 0.92 - 0.2*float64(k)*(0.2+noise(name))*float64(i+1)}, 0.04)
			}
			for _, obs := range o {
				add(metamer.Row{Set: name, Stage: stage, Observer: obs, Member: strings.Contains("+"+name+"+", "+"+obs+"+"), Measure: metamer.JSD, Value: 0.03 + 0.2*float64(k)*noise(name+obs)}, 0.01)
			}
			for _, m := range figures.Metrics {
				add(metamer.Row{Set: name, Stage: stage, Measure: m.Name, Value: 10 * noise(m.Name) * (1 + float64(k)*noise(name))}, 0.5)
			}
		}
	}
	return s
}

// Runs has coloured spots as references and, for each stage and model set, a run
// in which they dissolve into noise.
func Runs(sets ...[]string) (*images.Set, []*metamer.Run) {
	const size, n = 16, 6
	refs := &images.Set{Name: "blobs", Size: size, ClassNames: []string{"spot"}}
	for i := range n {
		refs.Names, refs.Labels = append(refs.Names, "spot"), append(refs.Labels, 0)
		for y := range size {
			for x := range size {
				d := math.Hypot(float64(x)-4-float64(i), float64(y)-8)
				for c := range 3 {
					refs.Pixels = append(refs.Pixels, float32(math.Exp(-d*d/float64(8+12*((i+c)%3)))))
				}
			}
		}
	}
	var runs []*metamer.Run
	for k, stage := range metamer.Stages {
		for _, set := range sets {
			r := &metamer.Run{ID: "0123456789abcdef", StepsRun: 1000, Recipe: metamer.Recipe{Stage: stage, Loss: "relative-l2", Images: metamer.ImageRef{Name: "blobs", Count: n, Size: size}, Optimizer: metamer.Optimizer{Name: "pgd"}}}
			for _, m := range set {
				r.Recipe.Models = append(r.Recipe.Models, metamer.ModelRef{Name: m})
			}
			seed := uint32(7)
			for _, p := range refs.Pixels {
				seed = seed*1664525 + 1013904223
				e := float32(seed>>8) / (1 << 24)
				r.Metamers = append(r.Metamers, p*(1-0.25*float32(k+1))+0.25*float32(k+1)*e)
				r.Start = append(r.Start, 0.4+0.2*e)
			}
			for m, member := range set {
				for i := range n {
					e := metamer.MatchStatistics{Image: i, Member: member, Loss: 0.04 + 0.3*float64(k)*float64(k)*float64(i+m)/n, Verdict: metamer.Pass}
					switch {
					case k == 2 && i == 0:
						e.Verdict = metamer.Fail
					case k == 2 && i == 1:
						e.Verdict = metamer.NotTested
					}
					r.Statistics = append(r.Statistics, e)
				}
			}
			for step := range 40 { // falls, in ensembles a member after the other
				m := step / 10 % len(set)
				loss := make([]float32, n)
				for i := range loss {
					loss[i] = float32(math.Exp(-0.08*float64(step)*(1.2-0.3*float64(k))) * (0.6 + 0.1*float64(i) + 0.2*noise(set[m])))
				}
				r.Trace.Step, r.Trace.Member, r.Trace.Image, r.Trace.Loss = append(r.Trace.Step, step), append(r.Trace.Member, m), append(r.Trace.Image, 0), append(r.Trace.Loss, loss)
			}
			runs = append(runs, r)
		}
	}
	return refs, runs
}

// Pairs is Study with made-up values of pairs of single models at two stages; of the last pair
// no image matches, of some not all.
func Pairs() *figures.Study {
	s := Study()
	s.Pairs = true
	var single [][]string
	for _, o := range s.Observers {
		single = append(single, []string{o})
		for k, stage := range metamer.Stages[1:] {
			s.Rows = append(s.Rows, metamer.Row{Set: o, Stage: stage, Observer: metamer.Members, Member: true, Measure: "match/pearson", Image: -1, Value: 0.97 + 0.01*float64(k), Low: 0.96, High: 0.99, Count: 16},
				metamer.Row{Set: o, Stage: stage, Observer: o, Member: true, Measure: metamer.JSD, Image: -1, Value: 0.02, Low: 0.01, High: 0.03})
			for _, other := range s.Observers {
				if other == o {
					continue
				}
				kin := strings.Split(o, ".")[0] == strings.Split(other, ".")[0]
				v := 0.5 + 0.6*noise(o+other) + 0.1*float64(k)
				if kin {
					v /= 2
				}
				s.Rows = append(s.Rows, metamer.Row{Set: o, Stage: stage, Observer: other, Measure: metamer.JSD, Image: -1, Value: 0.3 * v, Low: 0, High: 0.5})
				run := metamer.Recipe{Models: metamer.Refs(o), Stage: stage, Images: metamer.ImageRef{Name: "made up", Count: 16, Size: 32}, Against: &metamer.Against{Models: metamer.Refs(other), Stage: stage, Loss: "correlation", Every: 10}}
				pass := 16 - int(6*noise(other+o))
				difference := metamer.Row{Run: o + other + stage, Set: o, Stage: stage, Measure: "apart/correlation", Image: -1, Value: v, Low: v - 0.08, High: v + 0.07, Count: pass, Made: run.Made()}
				if k == 1 && o == s.Observers[5] && other == s.Observers[4] {
					difference.Value, difference.Low, difference.High, difference.Count, pass = math.NaN(), math.NaN(), math.NaN(), 0, 0
				}
				share := difference
				share.Measure, share.Value, share.Count = "apart", float64(pass)/16, 16
				share.Low, share.High = max(share.Value-.2, 0), min(share.Value+.1, 1)
				s.Rows = append(s.Rows, difference, share)
			}
		}
	}
	s.Sets = single
	return s
}
