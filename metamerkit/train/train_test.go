package train

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/images"

	_ "github.com/ensemble-metamers/metamers/metamerkit/zoo/all"
)

// tiny is a card of a small network of a family for 8² images of 4 classes.
func tiny(family, config string, side int) *card.Card {
	return &card.Card{Name: "tiny", Family: family, Config: json.RawMessage(config), Classes: 4,
		Input: card.Input{Size: side, Mean: [3]float64{.5, .5, .5}, Std: [3]float64{.25, .25, .25}}}
}

// gratings makes images of four classes that only their orientation tells apart.
func gratings(seed uint64, n, side int) *images.Set {
	r := rand.New(rand.NewPCG(seed, 7))
	s := &images.Set{Name: "gratings", Size: side, ClassNames: []string{"0", "45", "90", "135"}}
	for i := range n {
		class := i % 4
		a := float64(class) * math.Pi / 4
		phase, tint := r.Float64()*2*math.Pi, [3]float64{r.Float64(), r.Float64(), r.Float64()}
		for y := range side {
			for x := range side {
				w := math.Sin((float64(x)*math.Cos(a)+float64(y)*math.Sin(a))*1.4 + phase)
				for c := range 3 {
					v := .5 + .3*w*tint[c] + .05*r.NormFloat64()
					s.Pixels = append(s.Pixels, float32(math.Round(min(max(v, 0), 1)*255)/255))
				}
			}
		}
		s.Names, s.Labels = append(s.Names, fmt.Sprint(i)), append(s.Labels, class)
	}
	return s
}

// A small network learns gratings, and images it was not trained on too.
func TestLearns(t *testing.T) {
	b := backendtest.Open(t, backend.XLA)
	r, err := Run(context.Background(), Job{Backend: b, Card: tiny("plain_cifar", `{"widths":[8,12],"classes":4}`, 8), Train: gratings(1, 320, 8),
		Options: Options{Epochs: 12, Batch: 32, HeldOut: 64, Attacked: 32, NoFlip: true, Crop: 1, LR: .05, Seed: 1}})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range r.Points {
		t.Logf("%+v", p)
	}
	last := r.Points[len(r.Points)-1]
	if !(last.HeldOut > .9) {
		t.Errorf("held-out accuracy is %v, expected above .9 (chance is .25)", last.HeldOut)
	}
}
