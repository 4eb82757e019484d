// Package pathstest decides what a test does where its data are missing.
package pathstest

import (
	"os"
	"testing"
)

// Missing skips a test that needs data which are not in the repository: CIFAR-10,
// photographs, weights. With METAMERS_REQUIRE_DATA set, as in CI, the test fails.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("METAMERS_REQUIRE_DATA") != "" {
		t.Fatalf("METAMERS_REQUIRE_DATA is set: "+format, args...)
	}
	t.Skipf(format, args...)
}
