package onnx_test

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
)

var update = flag.Bool("update", false, "write the lists of refused cases and docs/notes/onnx.md instead of comparing with them")

const golden = "../../../testdata/golden/onnx/"

// runSuite runs a packed file on every backend. Each case is right or refused, with a
// typed error; the refused ones are those of the golden list, so that neither an operator
// that works nor a refusal is lost unseen. XLA compiles for a long time: it computes one
// case in so many, and all with METAMERS_LONG=1.
func runSuite(t *testing.T, suite string, gradients bool, tolerance float64, sparse int) {
	all := cases(t, golden+suite+".tar.gz")
	list := golden + suite + ".refused.txt"
	backendtest.Each(t, func(t *testing.T, b *backend.Backend) {
		run := all
		if b.Kind != backend.Go && os.Getenv("METAMERS_LONG") == "" {
			run = nil
			for i, c := range all {
				if i%sparse == 0 {
					run = append(run, c)
				}
			}
		}
		var refused []string
		results := runCases(b, run, gradients, tolerance)
		for _, c := range run {
			if o := results[c.name]; o.wrong != "" {
				t.Errorf("%s: %s", c.name, o.wrong)
			} else if o.refused != nil {
				refused = append(refused, c.name)
				if testing.Verbose() {
					t.Logf("%s is refused: %v", c.name, o.refused)
				}
			}
		}
		t.Logf("%d cases right, %d refused", len(run)-len(refused), len(refused))
		if *update && b.Kind == backend.Go {
			if err := os.WriteFile(list, []byte(strings.Join(refused, "\n")+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		expected := refusedCases(t, suite)
		for _, c := range run {
			switch is, was := slices.Contains(refused, c.name), expected[c.name]; {
			case is && !was:
				t.Errorf("%s is refused, and was computed before: %v", c.name, results[c.name].refused)
			case was && !is:
				t.Errorf("%s is computed now; write the list with -update", c.name)
			}
		}
	})
}

// refusedCases reads the golden list of a suite.
func refusedCases(t testing.TB, suite string) map[string]bool {
	t.Helper()
	data, err := os.ReadFile(golden + suite + ".refused.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for name := range strings.Lines(string(data)) {
		out[strings.TrimSpace(name)] = true
	}
	return out
}
