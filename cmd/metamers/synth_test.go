package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

// reported is what synth --json prints, as far as the tests read it.
type reported struct {
	ID, Dir    string
	Recipe     metamer.Recipe
	Statistics []metamer.MatchStatistics
	Passed     int
	Cached     bool
	StepsRun   int
	Stopped    string
}

func synthesized(t *testing.T, args ...string) (r reported, stderr string) {
	t.Helper()
	stdout, stderr, status := try(t, args...)
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || status != 0 {
		t.Fatalf("status %d, %v: %s%s", status, err, stdout, stderr)
	}
	return r, stderr
}

func metamersOf(t *testing.T, dir string) []float32 {
	t.Helper()
	f, err := weights.Open(filepath.Join(dir, "metamers.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range f.Tensors {
		return v.Float
	}
	t.Fatal("no tensor in metamers.safetensors")
	return nil
}

// A tiny synthesis leaves a whole run, says so in words and in JSON, and is quiet
// where nobody looks.
func TestSynth(t *testing.T) {
	needsData(t)
	out := t.TempDir()
	args := []string{"--backend", "go", "synth", "--models", "resnet2b", "--stage", "middle", "--images", "cifar10:2", "--steps", "3", "--store", out}
	r, stderr := synthesized(t, append(args, "--json")...)
	if stderr != "" {
		t.Errorf("standard error is no terminal and got %q", stderr)
	}
	if len(r.Statistics) != 2 || r.StepsRun != 3 || r.Cached || r.Recipe.Models[0].Name != "resnet2b" {
		t.Errorf("%+v", r)
	}
	for _, name := range []string{"recipe.json", "evidence.json", "metamers.safetensors", "start.safetensors", "trace.csv", "contact.png", "loss.png"} {
		if _, err := os.Stat(filepath.Join(r.Dir, name)); err != nil {
			t.Error(err)
		}
	}
	if len(metamersOf(t, r.Dir)) != 2*32*32*3 {
		t.Error("metamers.safetensors does not hold two images")
	}
	stdout, stderr, status := try(t, args...)
	if status != 0 || stderr != "2 images of cifar10:2 (0, 1), 32² pixels; resnet2b at middle; fast, 3 gradient evaluations an image; null distribution: pairs of photos:64\n" || !strings.Contains(stdout, "already stored") || !strings.Contains(stdout, r.ID) {
		t.Errorf("asking again: status %d: %s%s", status, stdout, stderr)
	}
	if stdout, _, _ = try(t, "runs", "--store", out); !strings.Contains(stdout, r.ID) {
		t.Errorf("runs does not list it: %s", stdout)
	}
	if stdout, _, _ = try(t, "runs", "show", r.ID[:6], "--store", out, "--json"); !json.Valid([]byte(stdout)) {
		t.Errorf("runs show: %s", stdout)
	}
	if _, stderr, status = try(t, "runs", "rm", r.ID, "--store", out); status != 0 {
		t.Errorf("runs rm: %s", stderr)
	}
	if _, err := os.Stat(r.Dir); !os.IsNotExist(err) {
		t.Errorf("the run is still there: %v", err)
	}
}

// Ctrl-C ends with status 130 and a checkpoint; the same command goes on and comes to
// the same bits as a run that nobody stopped.
func TestInterrupt(t *testing.T) {
	needsData(t)
	args := func(out string) []string {
		return []string{"synth", "--models", "resnet2b,resnet4b", "--stage", "middle", "--images", "cifar10:2", "--optimizer", "pgd", "--steps", "200", "--json", "--store", out}
	}
	whole, _ := synthesized(t, args(t.TempDir())...)
	for range 5 {
		out := t.TempDir()
		c := program(t, append(args(out), "--checkpoint", "1ms")...)
		var stderr bytes.Buffer
		c.Stderr = &stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		for begun := false; !begun; time.Sleep(5 * time.Millisecond) {
			kept, _ := filepath.Glob(filepath.Join(out, ".*.checkpoint"))
			done, _ := filepath.Glob(filepath.Join(out, "*", "recipe.json"))
			begun = len(kept) > 0 || len(done) > 0
		}
		if err := c.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		stopped := c.Wait()
		done, _ := filepath.Glob(filepath.Join(out, "*", "recipe.json"))
		if stopped == nil || len(done) > 0 && !strings.Contains(stderr.String(), "goes on from there") {
			continue // it was done before
		}
		if c.ProcessState.ExitCode() != 130 || !strings.Contains(stderr.String(), "the same command goes on from there") {
			t.Fatalf("status %d: %s", c.ProcessState.ExitCode(), stderr.String())
		}
		if t.Log(strings.TrimSpace(stderr.String())); strings.Contains(stderr.String(), "at step 0 ") {
			t.Error("what was done is lost")
		}
		if kept, _ := filepath.Glob(filepath.Join(out, ".*.checkpoint")); len(kept) != 1 {
			t.Errorf("checkpoints: %v", kept)
		}
		if stdout, _, _ := try(t, "runs", "--json", "--store", out); strings.TrimSpace(stdout) != "[]" {
			t.Errorf("what was stopped looks finished: %s", stdout)
		}
		r, _ := synthesized(t, args(out)...)
		if r.StepsRun != 200 || r.Cached || r.ID != whole.ID {
			t.Errorf("%d steps, cached %v, run %s, expected %s", r.StepsRun, r.Cached, r.ID, whole.ID)
		}
		a, b := metamersOf(t, whole.Dir), metamersOf(t, r.Dir)
		for i := range a {
			if a[i] != b[i] {
				t.Fatalf("value %d is %v, of the run that nobody stopped %v", i, b[i], a[i])
			}
		}
		return
	}
	t.Skip("the run ended before it could be stopped, five times")
}

// The file that activations writes has the start, its losses and their slopes.
func TestGradientsFile(t *testing.T) {
	needsData(t)
	path := filepath.Join(t.TempDir(), "x.npz")
	if _, stderr, status := try(t, "--backend", "go", "activations", "--model", "resnet2b", "--stage", "early,late", "--images", "cifar10:3", "--batch", "2", "--gradients", "noise", "--out", path); status != 0 {
		t.Fatal(stderr)
	}
	f, err := weights.OpenArrays(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, stage := range []string{"early", "late"} {
		loss, grad := f["loss."+stage], f["gradient."+stage]
		if loss == nil || grad == nil || f[stage] == nil || f["start"] == nil {
			t.Fatalf("arrays of %s are missing", stage)
		}
		if len(loss.Float) != 3 || len(grad.Float) != 3*32*32*3 {
			t.Errorf("%s: shapes %v and %v", stage, loss.Shape, grad.Shape)
		}
		for i := range 3 {
			sum := 0.0
			for _, v := range grad.Float[i*3072 : (i+1)*3072] {
				sum += math.Abs(float64(v))
			}
			if !(loss.Float[i] > 0.1) || !(sum > 0) {
				t.Errorf("%s, image %d: loss %v, sum of the gradient's absolute values %v", stage, i, loss.Float[i], sum)
			}
		}
	}
}
