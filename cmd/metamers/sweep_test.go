package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const tinyPlan = `name: tiny
images: photos:5
size: 32
sets: [[plain7_48.mm_c10]]
stages: [early]
observers: [plain7_48.mm_c10]
measures: [recognizability]
bootstrap: 100
settings: {steps: 30, batch: 2, optimizer: {name: pgd, stepSize: 3}}
`

// A sweep that is stopped and started again ends with the very run that reproduce
// makes: the same recipe, metamers, losses and match statistics, to the bit. After it reproduce
// has nothing to compute.
func TestSweep(t *testing.T) {
	if testing.Short() {
		t.Skip("synthesises")
	}
	dir := t.TempDir()
	plan, store, alone := filepath.Join(dir, "plan.yaml"), filepath.Join(dir, "store"), filepath.Join(dir, "alone")
	if err := os.WriteFile(plan, []byte(tinyPlan), 0o666); err != nil {
		t.Fatal(err)
	}
	out, errs, status := try(t, "sweep", plan, "--store", store, "--shard", "images:2", "--dry-run")
	if status != 0 || !strings.Contains(out, "4 shards of at most 2 images, 4 to do") || !strings.Contains(out, "--part 4-5") || !strings.Contains(out, "no time is known for plain7_48.mm_c10") {
		t.Fatal(out, errs)
	}
	if _, err := os.Stat(store); !os.IsNotExist(err) {
		t.Error("a dry run wrote something")
	}
	first := program(t, "sweep", plan, "--store", store, "--shard", "images:2", "--workers", "2")
	var said bytes.Buffer
	first.Stdout, first.Stderr = &said, &said
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	for { // until the first run is there
		if found, _ := filepath.Glob(filepath.Join(store, "*", "manifest.json")); len(found) > 0 || first.ProcessState != nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err := first.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait() // it may have been ready before
	t.Log(said.String())
	if out, errs, status := try(t, "sweep", plan, "--store", store, "--shard", "images:2", "--workers", "2"); status != 0 {
		t.Fatal(out, errs)
	}
	out, errs, status = try(t, "sweep", "status", plan, "--store", store, "--json")
	var st []struct {
		Phases []struct {
			Phase       string
			Total, Done int
		}
	}
	if err := json.Unmarshal([]byte(out), &st); err != nil || status != 0 || len(st) != 1 || st[0].Phases[0].Done != 3 || st[0].Phases[1].Done != 1 {
		t.Fatal(out, errs, err)
	}
	if out, errs, status := try(t, "reproduce", "--scale", plan, "--store", alone, "--set", "plain7_48.mm_c10", "--stage", "early"); status != 0 {
		t.Fatal(out, errs)
	}
	made, err := filepath.Glob(filepath.Join(alone, "*", "manifest.json"))
	if err != nil || len(made) != 1 {
		t.Fatal(made, err)
	}
	for _, name := range []string{"recipe.json", "metamers.safetensors", "start.safetensors", "trace.csv", "evidence.json", "contact.png"} {
		a, err := os.ReadFile(filepath.Join(filepath.Dir(made[0]), name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(store, filepath.Base(filepath.Dir(made[0])), name))
		if err != nil {
			t.Fatal(err)
		}
		if name == "evidence.json" { // all but the seconds that it took
			a, b = withoutSeconds(t, a), withoutSeconds(t, b)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s differs", name)
		}
	}
	out, errs, status = try(t, "reproduce", "--scale", plan, "--store", store, "--set", "plain7_48.mm_c10", "--stage", "early", "--json")
	if status != 0 || !strings.Contains(out, `"Cached":true`) {
		t.Error(out, errs)
	}
}

func withoutSeconds(t *testing.T, data []byte) []byte {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	delete(v, "seconds")
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSweepBadInput(t *testing.T) {
	plan := filepath.Join(t.TempDir(), "plan.yaml")
	if err := os.WriteFile(plan, []byte(tinyPlan), 0o666); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"block":     {[]string{"sweep", plan, "--shard", "images:3"}, "multiple of the batch, 2"},
		"shard":     {[]string{"sweep", plan, "--shard", "3"}, `"3"`},
		"where":     {[]string{"sweep", plan, "--on", "moon"}, "kubernetes"},
		"no sweep":  {[]string{"sweep", "status", plan}, "no sweep tiny"},
		"no plan":   {[]string{"sweep", "frist"}, "first"},
		"part":      {[]string{"reproduce", "--scale", plan, "--set", "plain7_48.mm_c10", "--stage", "early", "--part", "1-3"}, "multiples of the batch, 2"},
		"part form": {[]string{"reproduce", "--scale", plan, "--set", "plain7_48.mm_c10", "--stage", "early", "--part", "4"}, "FROM-TO"},
		"set":       {[]string{"reproduce", "--scale", plan, "--set", "resnet20", "--stage", "early"}, "plain7_48.mm_c10"},
		"set alone": {[]string{"reproduce", "--scale", plan, "--set", "plain7_48.mm_c10"}, "--stage"},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, status := try(t, append([]string{"--backend", "go"}, append(c.args, "--store", t.TempDir())...)...)
			if status == 0 || !strings.Contains(stderr, c.want) {
				t.Errorf("status %d: %s%s", status, stdout, stderr)
			}
		})
	}
}
