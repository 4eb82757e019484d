package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/study"
)

// The plan imagenet says what it takes, and that it downloads what is missing.
func TestPlanImageNet(t *testing.T) {
	env := []string{"METAMERS_CACHE=" + t.TempDir(), "METAMERS_BACKEND=go", "METAMERS_DATA=" + t.TempDir(), "HF_HOME=" + t.TempDir(), "HF_HUB_OFFLINE=1"}
	out, errs, status := try(t, append(env, "reproduce", "--scale", "imagenet", "--dry-run")...)
	for _, want := range []string{"24 of 24 runs and 144 evaluations", "24 images of 224²", "needs 6 models", "reproduce downloads them first"} {
		if status != 0 || !strings.Contains(out, want) {
			t.Fatalf("status %d, no %q in\n%s%s", status, want, out, errs)
		}
	}
}

// A piece of a plan keeps the group that it is, by its full names, and no other.
func TestPieceOfGroups(t *testing.T) {
	p, err := study.Load("imagenet")
	if err != nil {
		t.Fatal(err)
	}
	c := reproduceCmd{Set: []string{"vit_tiny_patch16_224", "deit_tiny_patch16_224"}, Stage: "late"}
	if p, err = c.one(p); err != nil {
		t.Fatal(err)
	}
	if len(p.Sets) != 1 || len(p.Groups) != 1 || !slices.Equal(p.Groups["standard transformers"], p.Sets[0]) || p.Label(p.Sets[0]) != "standard transformers" {
		t.Errorf("%v of %v", p.Sets, p.Groups)
	}
}
