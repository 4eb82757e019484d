package synth

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/zootest"
)

// A network whose kernels are folded and transformed beforehand has the loss and the
// gradient of the pure-Go backend, which does neither; layers share what is derived.
func TestFrozen(t *testing.T) {
	if testing.Short() {
		t.Skip("ResNet-18 at 224² on both backends")
	}
	const size = 224
	c, err := zoo.Lookup("resnet18.tv_in1k")
	if err != nil {
		t.Fatal(err)
	}
	pixels := func(period int) *tensors.Tensor {
		p := make([]float32, size*size*3)
		for i := range p {
			p[i] = float32(i%period) / float32(period)
		}
		return tensors.FromFlatDataAndDimensions(p, 1, size, size, 3)
	}
	type result struct {
		loss float32
		grad []float32
	}
	at := func(b *backend.Backend, net *zoo.Net, layer string) (r result) {
		s := TappedModel{Card: c, Net: net, Layer: layer}
		cfg := Config{Batch: 1, Size: size, Loss: "relative-l2"}
		target, err := newUnit(b.Compute, s, cfg, true)
		if err != nil {
			t.Fatal(err)
		}
		want, err := target.Target(pixels(97))
		if err != nil {
			t.Fatal(err)
		}
		gradients, err := NewGradients(b.Compute, s, cfg)
		if err != nil {
			t.Fatal(err)
		}
		loss, grad, err := gradients.At(pixels(61), want)
		if err != nil {
			t.Fatal(err)
		}
		return result{loss[0], tensors.MustCopyFlatData[float32](grad)}
	}
	xla, plain := backendtest.Open(t, backend.XLA), backendtest.Open(t, backend.Go)
	net, other := zootest.Open(t, c, 0.5), zootest.Open(t, c, 0.5)
	other.Derived = nil
	got, want := at(xla, net, "layer3"), at(plain, other, "layer3")
	if r := math.Abs(float64(got.loss/want.loss - 1)); !(r < 1e-4) {
		t.Errorf("the loss is %g, expected %g", got.loss, want.loss)
	}
	var d, n float64
	for i := range got.grad {
		d += math.Pow(float64(got.grad[i]-want.grad[i]), 2)
		n += math.Pow(float64(want.grad[i]), 2)
	}
	if r := math.Sqrt(d / n); !(r < 1e-2) { // weights by a formula: ReLUs that rounding flips
		t.Errorf("the gradient is off by %.1e of its norm", r)
	}
	first := net.Derived.Get("/layer3/1/conv1#filter")
	if first == nil {
		t.Fatalf("no transformed kernel of layer3.1.conv1 is kept: %d bytes are", net.Derived.Bytes())
	}
	small := net.Bytes()
	at(xla, net, "avgpool")
	if net.Derived.Get("/layer3/1/conv1#filter") != first || net.Bytes() <= small {
		t.Errorf("a deeper layer derived what was there, or nothing: %d bytes before, %d after", small, net.Bytes())
	}
}
