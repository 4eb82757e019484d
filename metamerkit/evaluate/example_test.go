package evaluate_test

import (
	"context"
	"fmt"
	"log"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
)

// The match statistics of one activation of a reference and one of its metamer.
func ExampleVector() {
	ref := evaluate.NewVector([]float32{1, 2, 3, 4})
	met := evaluate.NewVector([]float32{1, 2, 3, 5})
	fmt.Printf("relative distance %.3f\n", evaluate.Relative(ref, met))
	fmt.Printf("Pearson %.3f, Spearman %.3f\n", evaluate.Pearson(ref, met), evaluate.Spearman(ref, met))
	fmt.Printf("SNR %.1f dB\n", evaluate.SNR(ref, met))
	// Output:
	// relative distance 0.183
	// Pearson 0.983, Spearman 1.000
	// SNR 14.8 dB
}

// Recognizability is the fraction of metamers with the class of their reference.
func ExampleBootstrap_Share() {
	references := []int{3, 5, 5, 0, 1, 2, 9, 7}
	metamers := []int{3, 5, 4, 0, 1, 2, 8, 7}
	mean, low, high, n, err := evaluate.Bootstrap{Seed: 1}.Share(evaluate.Same(references, metamers))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.3f of %d images, between %.3f and %.3f\n", mean, n, low, high)
	// Output: 0.750 of 8 images, between 0.375 and 1.000
}

// CKA is 1 for activations that differ only by a factor and an offset.
func ExampleCKA() {
	ref := evaluate.Held{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 1, 0}}
	met := evaluate.Held{{3, 1, 1}, {1, 3, 1}, {1, 1, 3}, {3, 3, 1}}
	k, err := evaluate.NewGram(context.Background(), ref, 0)
	if err != nil {
		log.Fatal(err)
	}
	l, err := evaluate.NewGram(context.Background(), met, 0)
	if err != nil {
		log.Fatal(err)
	}
	a, _, err := evaluate.CKA(k, l, evaluate.Bootstrap{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.3f\n", a.Value)
	// Output: 1.000
}

// The p values of several comparisons are corrected together.
func ExampleHolm() {
	fmt.Printf("%.2f\n", evaluate.Holm([]float64{0.01, 0.04, 0.03}))
	// Output: [0.03 0.06 0.06]
}

func ExampleWilson() {
	low, high := evaluate.Wilson(8, 10, 0.95)
	fmt.Printf("%.2f to %.2f\n", low, high)
	// Output: 0.49 to 0.94
}

func ExampleMcNemar() {
	a := []float64{1, 1, 1, 1, 1, 1, 0, 0}
	b := []float64{0, 0, 0, 0, 0, 0, 0, 1}
	onlyA, onlyB, p, err := evaluate.McNemar(a, b)
	fmt.Printf("%d, %d, p = %.3f, %v\n", onlyA, onlyB, p, err)
	// Output: 6, 1, p = 0.125, <nil>
}
