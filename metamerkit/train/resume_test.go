package train

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
)

const helperDir = "METAMERS_TRAIN_HELPER"

// everything is a training in which all that a checkpoint must hold is in use.
func everything(b *backend.Backend, dir string) Job {
	t, _ := ParseThreat("linf:2/255")
	return Job{Backend: b, Card: tiny("plain_cifar", `{"widths":[4,6],"depth":1,"classes":4}`, 8), Train: gratings(1, 120, 8), Dir: dir, Every: time.Nanosecond,
		Options: Options{Epochs: 20, Batch: 32, HeldOut: 16, Attacked: 16, Threat: t, Average: "ema:0.9", Mixup: .2, Cutout: 2, Optimizer: "adamw", LR: 1e-2, Seed: 5}}
}

// A training killed with kill -9 goes on to the weights, to the bit, that it would
// have had.
func TestKillAndResume(t *testing.T) {
	if dir := os.Getenv(helperDir); dir != "" {
		b, err := backend.Open(backend.XLA)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Run(context.Background(), everything(b, dir)); err != nil {
			t.Fatal(err)
		}
		return
	}
	b := backendtest.Open(t, backend.XLA)
	whole, err := Run(context.Background(), everything(b, ""))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	helper := exec.Command(os.Args[0], "-test.run=^TestKillAndResume$")
	helper.Env = append(os.Environ(), helperDir+"="+dir)
	if err := helper.Start(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, checkpointFile)
	for end := time.Now().Add(10 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if st, err := os.Stat(path); err == nil && st.Size() > 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("no checkpoint after ten minutes")
		}
	}
	time.Sleep(30 * time.Millisecond)
	if err := helper.Process.Kill(); err != nil { // SIGKILL
		t.Fatal(err)
	}
	helper.Wait()
	q := everything(b, dir)
	first := 0
	q.Progress = func(p Progress) {
		if first == 0 {
			first = p.Step
		}
	}
	resumed, err := Run(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	if first < 2 {
		t.Logf("the helper was killed at its end or before its checkpoint; resumed at step %d", first)
	}
	t.Logf("resumed at step %d of %d", first, resumed.Steps)
	for p, w := range whole.Weights {
		a, z := tensors.MustCopyFlatData[float32](w), tensors.MustCopyFlatData[float32](resumed.Weights[p])
		for i := range a {
			if a[i] != z[i] {
				t.Fatalf("%s, element %d: %v, without the kill %v", p, i, z[i], a[i])
			}
		}
	}
	if len(resumed.Points) != len(whole.Points) || resumed.Points[19].Loss != whole.Points[19].Loss || resumed.Points[19].Attacked != whole.Points[19].Attacked {
		t.Errorf("the last of %d points is %+v, without the kill %+v", len(resumed.Points), resumed.Points[len(resumed.Points)-1], whole.Points[len(whole.Points)-1])
	}

	// Another training does not take the checkpoint up.
	q = everything(b, dir)
	q.Options.LR = 2e-2
	if _, err := Run(context.Background(), q); err == nil || !strings.Contains(err.Error(), "another training") {
		t.Errorf("another learning rate: %v", err)
	}
	if err := os.WriteFile(path, []byte("torn"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(context.Background(), everything(b, dir)); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a torn checkpoint: %v", err)
	}
}

// Catastrophic overfitting stops a training, or makes it fall back, and says so.
func TestWatchSeesCollapse(t *testing.T) {
	b := backendtest.Open(t, backend.XLA)
	for _, fallback := range []bool{false, true} {
		q := everything(b, "")
		q.Fallback = fallback
		said := ""
		q.Warn = func(s string) { said = s }
		j, err := newJob(q)
		if err != nil {
			t.Fatal(err)
		}
		j.state.Step = j.perEpoch()
		j.state.Points = []Point{{Attacked: .9, Method: "nfgsm"}} // untrained weights are far below
		err = j.watch(context.Background())
		var collapse *CollapseError
		switch {
		case !fallback && (!errors.As(err, &collapse) || j.state.Method != "nfgsm"):
			t.Errorf("no fallback: %v, method %s", err, j.state.Method)
		case fallback && (err != nil || j.state.Method != "pgd:3" || !strings.Contains(said, "catastrophic") || len(j.state.Events) != 1):
			t.Errorf("fallback: %v, method %s, said %q", err, j.state.Method, said)
		}
	}
	if collapsed(.3, .2, 10) || !collapsed(.3, .1, 10) || collapsed(.14, 0, 10) || collapsed(.3, 0, 4) {
		t.Error("collapsed(best, now)")
	}
}

func TestOptionsAreChecked(t *testing.T) {
	b := backendtest.Open(t, backend.Go)
	for _, o := range []Options{{Epochs: -1}, {Batch: 1}, {LR: -1}, {Optimizer: "lion"}, {Schedule: "step"}, {Crop: 8}, {Average: "x"}, {Method: "pgd:3"},
		{Threat: Threat{"l1", 1}}, {Threat: Threat{"l2", 1}, Method: "cw"}, {HeldOut: 119}, {HeldOut: 8, Attacked: 9}, {Precision: "f16"}} {
		q := everything(b, "")
		q.Options = o
		if _, err := newJob(q); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
	q := everything(b, "")
	q.Options.Precision = "bf16"
	if _, err := newJob(q); err != nil {
		t.Errorf("bfloat16 on the pure-Go backend: %v", err)
	}
	q = everything(b, "")
	q.Train.Labels[7] = 4
	if _, err := newJob(q); err == nil || !strings.Contains(err.Error(), "label 4") {
		t.Errorf("label 4 of 4 classes: %v", err)
	}
}
