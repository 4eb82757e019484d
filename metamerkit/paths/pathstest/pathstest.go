// Package pathstest decides what a test does where its data are missing.
package pathstest

import (
	"os"
	"testing"
)

// Missing skips a test that needs what is not in the repository and what set-up, packages.sh
// or the folder of data has: CIFAR-10, photographs, weights, XLA's plugin, oneDNN, jsPsych, a
// browser. With METAMERS_REQUIRE_DATA set, as in CI, the test fails.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("METAMERS_REQUIRE_DATA") != "" {
		t.Fatalf("METAMERS_REQUIRE_DATA is set: "+format, args...)
	}
	t.Skipf(format, args...)
}
