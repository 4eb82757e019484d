package zoo_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/block"
)

// chain is a family of matrices: layers of width × width after a mean over pixels.
func chain(layers, width int) zoo.Builder {
	return func(json.RawMessage) (zoo.Forward, error) {
		return func(s *model.Scope, x *Node) *Node {
			x = ReduceMean(x, 1, 2) // [B,3]
			x = block.Linear(block.At(s, "in"), x, width)
			for i := range layers {
				w := block.Weight(block.At(s, "layers.%d", i), x, "weight", width, width)
				x = MatMul(x, w)
			}
			return x
		}, nil
	}
}

var tiny = card.Card{Name: "tiny", Input: card.Input{Size: 4, Mean: [3]float64{.485, .456, .406}, Std: [3]float64{.229, .224, .225}}}

// state is a state dict of chain(1, 2), each name with a prefix.
func state(prefix string) []weights.Tensor {
	return []weights.Tensor{
		{Name: prefix + "in.weight", Shape: []int{2, 3}, Float: []float32{1, 2, 3, 4, 5, 6}},
		{Name: prefix + "in.bias", Shape: []int{2}, Float: []float32{7, 8}},
		{Name: prefix + "layers.0.weight", Shape: []int{2, 2}, Float: []float32{1, 0, 0, 1}},
	}
}

func constant(name string, v ...float32) weights.Tensor {
	return weights.Tensor{Name: name, Shape: []int{3, 1, 1}, Float: v}
}

// The wrappings that are known are taken off, and what was taken off is said;
// anything else is refused.
func TestUnwrap(t *testing.T) {
	mean, std := []float32{.485, .456, .406}, []float32{.229, .224, .225}
	madry := append(state("module.model."), state("module.attacker.model.")...)
	for _, where := range []string{"normalizer", "attacker.normalize"} {
		madry = append(madry, constant("module."+where+".new_mean", mean...), constant("module."+where+".new_std", std...))
	}
	counter := weights.Tensor{Name: "module.bn.num_batches_tracked", Shape: []int{1}, Int: []int64{5}}
	for name, c := range map[string]struct {
		tensors []weights.Tensor
		notes   []string // each in one note
		problem string
	}{
		"bare":         {state(""), nil, ""},
		"DataParallel": {append(state("module."), counter), []string{`"module."`}, ""},
		"compiled":     {state("_orig_mod.module."), []string{`"_orig_mod."`, `"module."`}, ""},
		"Lightning":    {state("model."), []string{`"model."`}, ""},
		"robustness":   {madry, []string{`"module."`, "5 tensors of the attack's copy", "normalizer.new_mean agrees", "normalizer.new_std agrees", `"model."`}, ""},
		"RobustBench":  {append(state("model."), constant("normalize.mean", mean...), constant("normalize.std", std...)), []string{"normalize.mean agrees", "normalize.std agrees", `"model."`}, ""},
		"mu and sigma": {append(state(""), constant("mu", mean...), constant("sigma", std...)), []string{"mu agrees", "sigma agrees"}, ""},
		"other mean":   {append(state("model."), constant("normalize.mean", .5, .5, .5)), nil, "normalize.mean is [0.5 0.5 0.5], the card's mean is [0.485 0.456 0.406]"},
		"odd mean":     {append(state("model."), weights.Tensor{Name: "normalize.mean", Shape: []int{1}, Float: []float32{.5}}), nil, "expected the mean of three channels"},
		"half a prefix": {append(state("module."), weights.Tensor{Name: "other", Shape: []int{1}, Float: []float32{1}}),
			[]string{`"module." was taken off 3`, "one tensor without it left out: other"}, ""},
		"averaged":  {append(state("module."), weights.Tensor{Name: "n_averaged", Shape: []int{}, Int: []int64{7}}), []string{`"module."`, "n_averaged"}, ""},
		"metrics":   {append(state("model."), weights.Tensor{Name: "criterion.weight", Shape: []int{2}, Float: []float32{1, 1}}, weights.Tensor{Name: "val_acc.tp", Shape: []int{1}, Int: []int64{7}}), []string{`"model."`, "criterion.weight, val_acc.tp"}, ""},
		"backbone":  {state("backbone."), []string{`"backbone." was taken off 3`}, ""},
		"timm":      {state("module.timm_model."), []string{`"module."`, `"timm_model."`}, ""},
		"MoCo":      {append(state("module.encoder_q."), state("module.encoder_k.")...), []string{`"module."`, `"encoder_q."`, "3 tensors without it left out", "the file has a second state dict: --strip module.encoder_k."}, ""},
		"average":   {append(state("model."), state("model_ema.")...), []string{`"model." was taken off 3`, "3 tensors without it left out", "the file has a second state dict: --strip model_ema."}, ""},
		"DINO":      {append(state("student.net.body."), state("teacher.net.body.")...), nil, "--strip student.net.body. or --strip teacher.net.body."},
		"unusual":   {append(state("wrapped.body."), weights.Tensor{Name: "loss.weight", Shape: []int{1}, Float: []float32{1}}), []string{`"wrapped.body."`, "loss.weight"}, ""},
		"sequence":  {append(state("1."), constant("0.mean", mean...), constant("0.std", std...)), []string{`"1."`, "0.mean agrees", "0.std agrees"}, ""},
		"sequence,": {append(state("1."), constant("0.mean", .5, .5, .5)), nil, "(give --mean)"},
		"counter":   {append(state(""), weights.Tensor{Name: "steps", Shape: []int{1}, Int: []int64{7}}), []string{"steps (I64 [1])"}, ""},
		"NaN":       {append(state("")[1:], weights.Tensor{Name: "in.weight", Shape: []int{2, 3}, Float: []float32{1, float32(math.NaN()), 3, 4, 5, float32(math.Inf(1))}}), nil, "tensor in.weight holds NaN (2 of its 6 values are NaN or infinite)"},
		"infinity":  {append(state("")[:1:1], append(state("")[2:], weights.Tensor{Name: "in.bias", Shape: []int{2}, Float: []float32{7, float32(math.Inf(-1))}})...), nil, "tensor in.bias holds -Inf (1 of its 2"},
		"extra":     {append(state(""), weights.Tensor{Name: "head.weight", Shape: []int{1}, Float: []float32{1}}), nil, "tensor head.weight belongs to no layer"},
		"absent":    {state("")[:2], nil, "tensor layers.0.weight is missing"},
		"shape":     {append(state("")[:2], weights.Tensor{Name: "layers.0.weight", Shape: []int{4, 1}, Float: make([]float32, 4)}), nil, "tensor layers.0.weight is F32 [1 4], expected float [2 2]"},
	} {
		path := filepath.Join(t.TempDir(), "w.safetensors")
		if err := weights.WriteSafetensors(path, c.tensors, nil); err != nil {
			t.Fatal(err)
		}
		net, err := zoo.PyTorch(chain(1, 2))(&tiny, path)
		if c.problem != "" {
			if err == nil || !strings.Contains(err.Error(), c.problem) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: %v, expected %q", name, err, c.problem)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(net.Notes) != len(c.notes) {
			t.Errorf("%s: notes %q, expected %q", name, net.Notes, c.notes)
		}
		for _, want := range c.notes {
			if !strings.Contains(strings.Join(net.Notes, "\n"), want) {
				t.Errorf("%s: notes %q, expected %q", name, net.Notes, want)
			}
		}
		got := tensors.MustCopyFlatData[float32](net.Weights["/in/weight"])
		if fmt.Sprint(got) != "[1 4 2 5 3 6]" { // [out,in] → [in,out]
			t.Errorf("%s: in.weight is %v", name, got)
		}
		sum, err := weights.Sum(path)
		if err != nil || net.SHA256 != sum || len(sum) != 64 {
			t.Errorf("%s: sum %s, expected %s (%v)", name, net.SHA256, sum, err)
		}
	}
}

// In a process of its own a file of 300 MB is loaded; the process's peak of memory
// stays below 1.2 times the file.
func TestMemoryOfLoading(t *testing.T) {
	const layers, width = 20, 2000
	if path := os.Getenv("METAMERS_TEST_LOAD"); path != "" {
		net, err := zoo.PyTorch(chain(layers, width))(&tiny, path)
		if err != nil || len(net.Weights) != layers+2 {
			t.Fatal(err)
		}
		status, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(regexp.MustCompile(`VmHWM:.*`).FindString(string(status)))
		return
	}
	if _, err := os.Stat("/proc/self/status"); err != nil || testing.Short() {
		t.Skip("not on Linux, or -short: writes a file of 300 MB")
	}
	matrix := make([]float32, width*width)
	for i := range matrix {
		matrix[i] = float32(i)
	}
	all := []weights.Tensor{{Name: "in.weight", Shape: []int{width, 3}, Float: matrix[:3*width]}, {Name: "in.bias", Shape: []int{width}, Float: matrix[:width]}}
	for i := range layers {
		all = append(all, weights.Tensor{Name: fmt.Sprintf("layers.%d.weight", i), Shape: []int{width, width}, Float: matrix})
	}
	path := filepath.Join(t.TempDir(), "large.safetensors")
	if err := weights.WriteSafetensors(path, all, nil); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(os.Args[0], "-test.run=^TestMemoryOfLoading$", "-test.v")
	c.Env = append(os.Environ(), "METAMERS_TEST_LOAD="+path)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m := regexp.MustCompile(`VmHWM:\s*(\d+) kB`).FindSubmatch(out)
	if m == nil {
		t.Fatalf("no peak in %s", out)
	}
	peak, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	s, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	ratio := float64(peak) * 1024 / float64(s.Size())
	t.Logf("peak %d MB for a file of %d MB: %.3f", peak>>10, s.Size()>>20, ratio)
	if ratio > 1.2 {
		t.Errorf("peak memory is %.2f times the file, expected at most 1.2", ratio)
	}
}

func TestBFloat16(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	all := state("")
	all[0].Float[0] = 1.00390625 + 1.0/512 // between two bfloat16
	if err := weights.WriteSafetensors(path, all, nil); err != nil {
		t.Fatal(err)
	}
	net, err := zoo.PyTorch(chain(1, 2))(&tiny, path)
	if err != nil {
		t.Fatal(err)
	}
	half, err := net.BFloat16()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]dtypes.DType{"/in/weight": dtypes.BFloat16, "/layers/0/weight": dtypes.BFloat16, "/in/bias": dtypes.Float32} {
		if got := half.Weights[path].DType(); got != want {
			t.Errorf("%s is %s, expected %s", path, got, want)
		}
	}
	if _, shapes, err := half.Reads(tiny.Input); err != nil || len(shapes) != 0 {
		t.Errorf("%v, %v", shapes, err)
	}
	if _, err := (&zoo.Net{}).BFloat16(); err == nil || !strings.Contains(err.Error(), "ONNX") {
		t.Errorf("a net of another kind gives %v", err)
	}
}

// A prefix that the user names goes before all others, and one that is not there is refused.
func TestStrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	other := state("teacher.net.")
	other[1].Float = []float32{70, 80}
	if err := weights.WriteSafetensors(path, append(state("student.net."), other...), nil); err != nil {
		t.Fatal(err)
	}
	for strip, want := range map[string]string{"teacher.net.": "[70 80]", "teacher.net": "[70 80]", "student": "[7 8]"} {
		c := tiny
		c.Weights.Strip = strip
		net, err := zoo.PyTorch(chain(1, 2))(&c, path)
		if err != nil {
			t.Errorf("%s: %v", strip, err)
			continue
		}
		if got := fmt.Sprint(tensors.MustCopyFlatData[float32](net.Weights["/in/bias"])); got != want || len(net.Notes) < 2 {
			t.Errorf("%s: in.bias is %s, expected %s (%q)", strip, got, want, net.Notes)
		}
	}
	c := tiny
	c.Weights.Strip = "nobody."
	if _, err := zoo.PyTorch(chain(1, 2))(&c, path); err == nil || !strings.Contains(err.Error(), "names begin with student., teacher.") {
		t.Errorf("got %v", err)
	}
}
