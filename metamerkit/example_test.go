package metamerkit_test

import (
	"fmt"

	mk "github.com/ensemble-metamers/metamers/metamerkit"
)

// Metamers of eight photographs for two networks at once, and how two other networks
// classify them. The engine is started if it does not run.
func Example() {
	photos := mk.Must(mk.OpenImages("photos:8", 32))
	run := mk.Must(mk.Synthesize(mk.Recipe{
		Models: mk.Set("plain7_48.mm_c10", "resnet8_48.mm_c10"), Stage: "late", Steps: 300,
	}, photos))
	rows := mk.Must(mk.Evaluate(run, "vit_4_96.mm_c10", "convnext_64.mm_c10"))
	fmt.Println(run.Verdict(), len(rows))
}

// Set names the members of a model set.
func ExampleSet() {
	for _, m := range mk.Set("resnet20", "resnet56") {
		fmt.Println(m.Name)
	}
	// Output:
	// resnet20
	// resnet56
}
