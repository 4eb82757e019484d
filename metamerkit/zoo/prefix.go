package zoo

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/compute/shapes"

	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

// counted is the number of names in words.
func counted(names []string) string {
	if len(names) == 1 {
		return "one tensor"
	}
	return fmt.Sprintf("%d tensors", len(names))
}

// some lists names, the first of many.
func some(names []string) string {
	if len(names) > shown {
		return strings.Join(names[:shown], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

// beginnings lists what names begin with, up to the first dot.
func beginnings(in map[string]*weights.Tensor) []string {
	all := map[string]bool{}
	for key := range in {
		first, _, dotted := strings.Cut(key, ".")
		if dotted {
			first += "."
		}
		all[first] = true
	}
	out := slices.Sorted(maps.Keys(all))
	return out[:min(len(out), shown)]
}

// strangers leaves out tensors that no layer reads and no layer of any kind could: those of
// integers, and of types that are not read.
func strangers(in map[string]*weights.Tensor, want map[string]shapes.Shape) (map[string]*weights.Tensor, []string) {
	var left []string
	for _, key := range slices.Sorted(maps.Keys(in)) {
		t := in[key]
		if _, ok := want["/"+strings.ReplaceAll(key, ".", "/")]; !ok && !t.IsFloat() && !strings.HasSuffix(key, "num_batches_tracked") {
			left = append(left, fmt.Sprintf("%s (%s %v)", key, t.DType, t.Shape))
		}
	}
	if left == nil {
		return in, nil
	}
	out := without(in, func(key string) bool {
		_, ok := want["/"+strings.ReplaceAll(key, ".", "/")]
		return !ok && !in[key].IsFloat()
	})
	return out, []string{fmt.Sprintf("%s of other types that belong to no layer left out: %s", counted(left), some(left))}
}

// owns says whether the model itself has a variable whose name begins so.
func owns(want map[string]shapes.Shape, prefix string) bool {
	for path := range want {
		if strings.HasPrefix(keyOf(path), prefix) {
			return true
		}
	}
	return false
}

func count(in map[string]*weights.Tensor, prefix string) (n int) {
	for key := range in {
		if strings.HasPrefix(key, prefix) {
			n++
		}
	}
	return n
}

func all(in map[string]*weights.Tensor, prefix string) bool {
	return len(in) > 0 && count(in, prefix) == len(in)
}

// under returns the tensors that have a prefix, without it.
func under(in map[string]*weights.Tensor, prefix string) map[string]*weights.Tensor {
	out := map[string]*weights.Tensor{}
	for key, t := range in {
		if rest, ok := strings.CutPrefix(key, prefix); ok {
			out[rest] = t
		}
	}
	return out
}

func without(in map[string]*weights.Tensor, drop func(key string) bool) map[string]*weights.Tensor {
	out := map[string]*weights.Tensor{}
	for key, t := range in {
		if !drop(key) {
			out[key] = t
		}
	}
	return out
}
