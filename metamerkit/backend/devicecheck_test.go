package backend

import (
	"math"
	"os"
	"strings"
	"testing"
)

// A device that failed is in doubt until it passes. Another plugin's check says nothing
// about it.
func TestDoubt(t *testing.T) {
	t.Setenv("METAMERS_CACHE", t.TempDir())
	b := &Backend{Kind: Named, Version: "plugin.so@123"}
	if d := b.Doubt(); d != "" {
		t.Errorf("in doubt without a check: %s", d)
	}
	c := b.NewCheck()
	c.Parts = []CheckPart{{What: "logits", Difference: 1e-6, Limit: 1e-3}, {What: "losses", Difference: math.MaxFloat64, Limit: 1e-3, Error: "no such operation"}}
	if err := c.Save(); err != nil {
		t.Fatal(err)
	}
	if d := b.Doubt(); !strings.Contains(d, "plugin.so@123 failed 1 of 2") || !strings.Contains(d, "the first losses") {
		t.Errorf("doubt %q", d)
	}
	if d := (&Backend{Kind: Named, Version: "plugin.so@456"}).Doubt(); d != "" {
		t.Errorf("another plugin is in doubt: %s", d)
	}
	if err := os.WriteFile(c.path(), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if d := b.Doubt(); !strings.Contains(d, "doctor --check") {
		t.Errorf("a damaged file: doubt %q", d)
	}
	c.Parts = c.Parts[:1]
	if err := c.Save(); err != nil {
		t.Fatal(err)
	}
	if d := b.Doubt(); d != "" {
		t.Errorf("in doubt after it passed: %s", d)
	}
}
