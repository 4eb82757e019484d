package train

import (
	"context"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
)

// A training that begins with trained weights is as good at once, leaves those as
// they were, and refuses weights of another network.
func TestFrom(t *testing.T) {
	b := backendtest.Open(t, backend.XLA)
	c := tiny("plain_cifar", `{"widths":[8,12],"classes":4}`, 8)
	o := Options{Epochs: 8, Batch: 32, HeldOut: 64, Attacked: 32, NoFlip: true, Crop: 1, LR: .05, Seed: 1}
	first, err := Run(context.Background(), Job{Backend: b, Card: c, Train: gratings(1, 320, 8), Options: o})
	if err != nil {
		t.Fatal(err)
	}
	before := flat(t, first.Weights)
	short := o
	short.Epochs, short.LR, short.From = 1, 1e-4, "first"
	again, err := Run(context.Background(), Job{Backend: b, Card: c, Train: gratings(1, 320, 8), Options: short, From: first.Weights})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := again.Points[0].HeldOut, first.Points[len(first.Points)-1].HeldOut; got < want-.1 {
		t.Errorf("held-out accuracy is %v after an epoch of almost nothing, expected about %v", got, want)
	}
	for p, v := range flat(t, first.Weights) {
		for i := range v {
			if v[i] != before[p][i] {
				t.Fatalf("%s has changed in the caller's hands", p)
			}
		}
	}
	other := tiny("plain_cifar", `{"widths":[8,16],"classes":4}`, 8)
	_, err = Run(context.Background(), Job{Backend: b, Card: other, Train: gratings(1, 320, 8), Options: short, From: first.Weights})
	if err == nil || !strings.Contains(err.Error(), "the weights of first do not fit tiny: /block2/") {
		t.Errorf("weights of another network: %v", err)
	}
}

func flat(t *testing.T, w map[string]*tensors.Tensor) map[string][]float32 {
	t.Helper()
	out := map[string][]float32{}
	for p, v := range w {
		f, err := tensors.CopyFlatData[float32](v)
		if err != nil {
			t.Fatal(err)
		}
		out[p] = f
	}
	return out
}
