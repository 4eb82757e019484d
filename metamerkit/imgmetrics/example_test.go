package imgmetrics_test

import (
	"fmt"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/imgmetrics"
)

func Example() {
	b, err := backend.Open(backend.Go)
	if err != nil {
		fmt.Println(err)
		return
	}
	metrics, err := imgmetrics.Lookup("contrast", "psnr", "niqe-photos")
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := imgmetrics.NewRunner(b.Compute, metrics...)
	if err != nil {
		fmt.Println(err)
		return
	}
	// Two images of 16×16 pixels: left half black, right half white; and grey.
	const side = 16
	images := make([]float32, 2*side*side*3)
	references := make([]float32, len(images))
	for i := range images {
		references[i] = 0.5
		if images[i] = 0.5; i < len(images)/2 {
			images[i] = float32(i / 3 % side / (side / 2))
		}
	}
	values, err := r.Measure(images, references, side, side)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i, v := range values {
		for j, m := range r.Metrics {
			fmt.Printf("image %d: %s %s %s: %.4v\n", i, m.Name, m.Better.Arrow(), m.Unit, v[j].V)
		}
	}
	fmt.Println(values[0][2].Why)
	// Output:
	// image 0: contrast  of 1: 0.5
	// image 0: psnr ↑ dB: 6.021
	// image 0: niqe-photos ↓ : NaN
	// image 1: contrast  of 1: 0
	// image 1: psnr ↑ dB: +Inf
	// image 1: niqe-photos ↓ : NaN
	// 16×16 pixels have 0 blocks of 96×96; a covariance needs two
}
