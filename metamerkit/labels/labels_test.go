package labels

import "testing"

func TestNames(t *testing.T) {
	names := Names("imagenet1k")
	if len(names) != 1000 || names[0] != "tench" || names[999] != "toilet tissue" || names[207] != "golden retriever" {
		t.Errorf("%d names, the first %q", len(names), names[0])
	}
	if n := Names("cifar10"); len(n) != 10 || n[3] != "cat" {
		t.Errorf("%v", n)
	}
	if Names("none") != nil || Name("none", 3) != "class 3" || Name("cifar10", 3) != "cat" || Name("cifar10", -1) != "class -1" {
		t.Error("unknown labels")
	}
}
