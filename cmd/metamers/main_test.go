package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/paths/pathstest"
)

// asMain makes the test's own binary the program.
const asMain = "METAMERS_TEST_AS_MAIN"

func TestMain(m *testing.M) {
	if store := os.Getenv("METAMERS_TEST_AS_CLIENT"); store != "" { // see fault_test.go
		if err := askOnce(store); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if os.Getenv(asMain) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// program is the command with its own cache, which knows the plugins and the data of
// this machine. More environment may be given as NAME=VALUE before the arguments.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	n := 0
	for n < len(args) && strings.Contains(args[n], "=") && !strings.HasPrefix(args[n], "-") {
		n++
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, args[n:]...)
	c.Env = append(os.Environ(), asMain+"=1", "METAMERS_DATA="+data(t))
	c.Env = append(c.Env, args[:n]...)
	return c
}

// data is the folder with CIFAR-10 and weights, whether it is there or not.
func data(t *testing.T) string {
	t.Helper()
	if d := os.Getenv("METAMERS_DATA"); d != "" {
		return d
	}
	d, err := filepath.Abs("../../../shared/data")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// needsData skips where weights and CIFAR-10 are not.
func needsData(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(data(t), "weights", "resnet2b.pth")); err != nil {
		pathstest.Missing(t, "no weights here: %v", err)
	}
}

// try runs the program and returns its outputs and exit status.
func try(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	c := program(t, args...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil && c.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), c.ProcessState.ExitCode()
}

// Bad input ends with a status and a message that says what was expected; nothing
// goes to the standard output.
func TestBadInput(t *testing.T) {
	empty, text := t.TempDir(), filepath.Join(t.TempDir(), "a.png")
	if err := os.WriteFile(text, []byte("not an image"), 0o666); err != nil {
		t.Fatal(err)
	}
	labels := filepath.Join(t.TempDir(), "labels.tsv")
	if err := os.WriteFile(labels, []byte("file\tindex\n0.png\t3\n1.png\t10\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	synth := func(args ...string) []string {
		return append([]string{"--backend", "go", "synth", "--store", t.TempDir(), "--images", "cifar10:2"}, args...)
	}
	for name, c := range map[string]struct {
		args []string
		want []string
		data bool
	}{
		"no such flag":     {[]string{"synth", "--stpes", "3"}, []string{"--stpes", "did you mean \"--steps\""}, false},
		"no such command":  {[]string{"snyth"}, []string{"snyth", "synth"}, false},
		"flag missing":     {[]string{"synth", "--images", "cifar10"}, []string{"--models", "--stage"}, false},
		"not a number":     {synth("--models", "resnet20", "--stage", "late", "--steps", "many"), []string{"--steps", "many"}, false},
		"backend":          {[]string{"doctor", "--backend", "tpu"}, []string{"--backend", "tpu", "cuda"}, false},
		"model":            {synth("--models", "resnet21", "--stage", "late"), []string{`unknown model "resnet21"`, "resnet20"}, true},
		"model to show":    {[]string{"models", "show", "resnet2c"}, []string{`unknown model "resnet2c"`, "resnet2b"}, false},
		"stage":            {synth("--models", "resnet2b", "--stage", "latte"), []string{`unknown stage "latte"`, "late"}, true},
		"optimiser":        {synth("--models", "resnet2b", "--stage", "late", "--optimizer", "pdg"), []string{`unknown optimiser "pdg"`, "pgd"}, true},
		"schedule":         {synth("--models", "resnet2b", "--stage", "late", "--schedule", "switch:0"), []string{`schedule "switch:0"`, "above 0"}, true},
		"penalty":          {synth("--models", "resnet2b", "--stage", "late", "--penalty", "tv"), []string{`penalty "tv"`, "NAME=WEIGHT"}, true},
		"same model twice": {synth("--models", "resnet2b,resnet2b", "--stage", "late"), []string{"resnet2b", "twice"}, true},
		"no image in it":   {[]string{"synth", "--models", "resnet2b", "--stage", "late", "--images", empty, "--store", t.TempDir()}, []string{empty, ".jpg"}, false},
		"not an image":     {[]string{"synth", "--models", "resnet2b", "--stage", "late", "--images", text, "--store", t.TempDir()}, []string{text}, false},
		"no such file":     {[]string{"synth", "--models", "resnet2b", "--stage", "late", "--images", filepath.Join(empty, "b.png"), "--store", t.TempDir()}, []string{"b.png", "no such file"}, false},
		"too many images":  {[]string{"synth", "--models", "resnet2b", "--stage", "late", "--images", "cifar10:10001", "--store", t.TempDir()}, []string{"10001", "10000"}, true},
		"run":              {[]string{"runs", "show", "abc", "--store", t.TempDir()}, []string{"abc"}, false},
		"start":            {synth("--models", "resnet2b", "--stage", "late", "--start", text), []string{"start", text}, true},
		"steps 0":          {synth("--models", "resnet2b", "--stage", "late", "--steps", "0"), []string{"--steps is 0", "above 0"}, false},
		"label":            {[]string{"--backend", "go", "classify", "cifar10:2", "--labels", labels, "--models", "plain7_48.mm_c10"}, []string{labels, "class 10", "10 classes"}, true},
		"size 0":           {synth("--models", "resnet2b", "--stage", "late", "--size=0"), []string{"--size is 0"}, false},
		"no experiment":    {[]string{"experiment", "read", empty}, []string{"--design", "design.json"}, false},
		"not a design":     {[]string{"experiment", "serve", empty}, []string{"design.json", "no such file"}, false},
		"no power":         {[]string{"experiment", "power", "--difference", "0.5", "--rate", "0.9"}, []string{"0.5", "0.9", "between 0 and 1"}, false},
		"smooth":           {[]string{"experiment", "make", "3f2a", "--out", filepath.Join(empty, "exp"), "--smooth"}, []string{"--degrees"}, false},
		"stage twice":      {[]string{"activations", "--model", "resnet2b", "--stage", "late,late", "--images", "cifar10:1", "--out", "x.npz"}, []string{"late", "twice"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.data {
				needsData(t)
			}
			stdout, stderr, status := try(t, c.args...)
			if status == 0 {
				t.Fatalf("accepted: %s", stdout)
			}
			for _, w := range c.want {
				if !strings.Contains(stderr, w) {
					t.Errorf("the message does not say %q: %s", w, stderr)
				}
			}
			if strings.Contains(stderr, "goroutine ") {
				t.Errorf("panicked: %s", stderr)
			}
		})
	}
}

// What --json prints is JSON, one value, whatever the command.
func TestJSON(t *testing.T) {
	for _, args := range [][]string{
		{"models"}, {"models", "show", "resnet20"}, {"models", "check", "resnet2b"}, {"doctor", "--backend", "go"}, {"runs", "--store", t.TempDir()},
	} {
		stdout, stderr, status := try(t, append(args, "--json")...)
		var v any
		if err := json.Unmarshal([]byte(stdout), &v); err != nil {
			t.Errorf("%v: %v: %s (status %d: %s)", args, err, stdout, status, stderr)
		}
	}
}

func TestDoctor(t *testing.T) {
	empty := t.TempDir()
	stdout, stderr, status := try(t, "METAMERS_CACHE="+empty, "METAMERS_DATA="+empty, "doctor")
	if status != 0 {
		t.Fatalf("status %d: %s", status, stderr)
	}
	for _, want := range []string{"what to do:", "metamers data get cifar10", "metamers models pull", "have their weights: "} {
		if !strings.Contains(stdout, want) {
			t.Errorf("does not say %q:\n%s", want, stdout)
		}
	}
	if _, ready, _ := strings.Cut(stdout, "have their weights: "); strings.Contains(strings.SplitN(ready, "\n", 2)[0], "resnet20") {
		t.Errorf("models have weights that are nowhere:\n%s", stdout)
	}
	nowhere := filepath.Join(os.DevNull, "cache")
	stdout, _, status = try(t, "METAMERS_CACHE="+nowhere, "METAMERS_DATA="+empty, "doctor")
	for _, want := range []string{nowhere + ", ", "(cannot be written)", "the cache folder cannot be written (" + os.DevNull, "plain7_48.mm_c10"} {
		if status != 0 || !strings.Contains(stdout, want) {
			t.Errorf("status %d, does not say %q:\n%s", status, want, stdout)
		}
	}
	needsData(t)
	stdout, _, _ = try(t, "doctor")
	if strings.Contains(stdout, "CIFAR-10:") || !strings.Contains(stdout, "resnet2b, ") {
		t.Errorf("advises what is there already:\n%s", stdout)
	}
	stdout, _, _ = try(t, "doctor", "--backend", "go", "--json")
	var d diagnosis
	if err := json.Unmarshal([]byte(stdout), &d); err != nil || d.Kind != "go" || d.Cores < 1 || !slices.Contains(d.Ready, "resnet2b") {
		t.Errorf("%v: %+v", err, d)
	}
}

// Tab completes commands, flags, models, stages, other names and files.
func TestCompletion(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "photo.png"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string][]string{
		"metamers act":                                       {"activations"},
		"metamers models ch":                                 {"check"},
		"metamers synth --optim":                             {"--optimizer"},
		"metamers synth --models resnet2b,resnet4":           {"resnet2b,resnet4b"},
		"metamers synth --models vit_pgd":                    {"vit_pgd_2_3_16"},
		"metamers synth --stage mid":                         {"middle"},
		"metamers activations --model resnet20 --stage ear":  {"early"},
		"metamers activations --stage early,":                {"early,middle", "early,late"},
		"metamers synth --schedule av":                       {"average"},
		"metamers synth --images " + dir + "/ph":             {dir + "/photo.png"},
		"metamers models show resnet20_":                     {"resnet20_cifar10"},
		"metamers doctor --backend cu":                       {"cuda"},
		"metamers synth --models resnet20 --loss corr":       {"correlation"},
		"metamers synth --models resnet20 --start refer":     {"reference"},
		"metamers synth --models resnet20 --stage x --start": {"--start"},
	} {
		stdout, stderr, _ := try(t, "COMP_LINE="+line)
		got := strings.Fields(stdout)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%q completes to %q, expected %q %s", line, got, want, stderr)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		// The files of the release's archives say the same of the program on PATH.
		want, err := os.ReadFile(filepath.Join("completions", "metamers."+shell))
		if err != nil {
			t.Fatal(err)
		}
		self, _ := os.Executable()
		if stdout, stderr, status := try(t, "completion", "-c", shell); status != 0 || strings.ReplaceAll(stdout, self, "metamers") != string(want) {
			t.Errorf("%s: %s%s, expected\n%s", shell, stdout, stderr, want)
		}
	}
	if stdout, _, _ := try(t, "--help"); !strings.Contains(stdout, "metamers completion") {
		t.Error("--help does not speak of completion")
	}
}
