package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// parsed is what the flags of a command line are read as.
func parsed(t *testing.T, args ...string) (c cli, err error) {
	t.Helper()
	p, err := kong.New(&c, helpVars(), kong.Exit(func(int) { t.Error("the parser ended the program") }))
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Parse(args)
	return c, err
}

// --images takes the values up to the next flag, and in a command that has arguments of its
// own only those that are files or folders.
func TestImagesAsShellsExpandThem(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, f := range []string{"a.png", "b c.png"} {
		if err := os.WriteFile(f, nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for line, want := range map[string][]string{
		"--images|a.png|b c.png|missing.png|--stage|late|--models|resnet20": {"a.png", "b c.png", "missing.png"},
		"--images|a.png|--images|b c.png|--stage|late|--models|resnet20":    {"a.png", "b c.png"},
		"--images=a.png|b c.png|-q|--stage|late|--models|resnet20":          {"a.png", "b c.png"},
		"--models|resnet20|--stage|late|--images|photos:4":                  {"photos:4"},
		"--images|-|--models|resnet20|--stage|late":                         {"-"},
		"--images|a.png|-|--models|resnet20|--stage|late":                   {"a.png", "-"},
	} {
		c, err := parsed(t, append([]string{"synth"}, strings.Split(line, "|")...)...)
		if err != nil || !slices.Equal(c.Synth.Images, want) || c.Synth.Stage != "late" || c.Synth.Models[0] != "resnet20" {
			t.Errorf("%s: %q, %v", line, c.Synth.Images, err)
		}
	}
	c, err := parsed(t, "eval", "--images", "a.png", "b c.png", "3f2a", "91bc", "--measures", "success")
	if err != nil || !slices.Equal(c.Eval.Images, imageSpec{"a.png", "b c.png"}) || !slices.Equal(c.Eval.Runs, []string{"3f2a", "91bc"}) {
		t.Errorf("eval: %q, %q, %v", c.Eval.Images, c.Eval.Runs, err)
	}
	if c, err = parsed(t, "reproduce", "--images", "a.png", "b c.png", "--size", "32"); err != nil || c.Reproduce.Size != 32 || len(c.Reproduce.Images) != 2 {
		t.Errorf("reproduce: %q, %v", c.Reproduce.Images, err)
	}
	if c, err = parsed(t, "attack", "--models", "resnet20"); err != nil || !slices.Equal(c.Attack.Images, imageSpec{"cifar10:1000"}) {
		t.Errorf("the default: %q, %v", c.Attack.Images, err)
	}
	if c, err = parsed(t, "attack", "--models", "resnet20", "--images", "cifar10:8"); err != nil || !slices.Equal(c.Attack.Images, imageSpec{"cifar10:8"}) {
		t.Errorf("in place of the default: %q, %v", c.Attack.Images, err)
	}
	if _, err = parsed(t, "synth", "--images", "--stage", "late", "--models", "resnet20"); err == nil {
		t.Error("--images without a value is accepted")
	}
}

// The beginning of a run's ID that is also a path is an error that says how to write each.
func TestRunOrPath(t *testing.T) {
	store, here := t.TempDir(), t.TempDir()
	t.Chdir(here)
	const id = "3f2a000000000001"
	if err := os.Mkdir(filepath.Join(store, id), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(store, id, "manifest.json"), []byte("{}"), 0o666); err != nil {
		t.Fatal(err)
	}
	s := &runs.Store{Dir: store}
	for arg, want := range map[string]struct {
		name  string
		isRun bool
		err   string
	}{
		"3f2a": {id, true, ""}, "run:3f2a": {id, true, ""}, "4f": {"4f", false, ""}, "run:4f": {"", false, `no run "4f"`}, "photos": {"photos", false, ""},
	} {
		name, isRun, err := runOrPath(s, arg)
		if name != want.name || isRun != want.isRun || (err == nil) != (want.err == "") || err != nil && !strings.Contains(err.Error(), want.err) {
			t.Errorf("%s: %q, %v, %v", arg, name, isRun, err)
		}
	}
	if err := os.Mkdir("3f2a", 0o777); err != nil {
		t.Fatal(err)
	}
	if _, _, err := runOrPath(s, "3f2a"); err == nil || !strings.Contains(err.Error(), "write run:3f2a for the first or ./3f2a for the second") {
		t.Error(err)
	}
	if name, isRun, err := runOrPath(s, "run:3f2a"); name != id || !isRun || err != nil {
		t.Error(name, isRun, err)
	}
	if name, isRun, err := runOrPath(s, "./3f2a"); name != "./3f2a" || isRun || err != nil {
		t.Error(name, isRun, err)
	}
}

// Starts, plans and models that are also files are errors that say how to write each.
func TestNamesThatAreFiles(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []string{"reference", "quick", "resnet8_48.mm_c10", "photos", "none", "noise"} {
		if err := os.Mkdir(filepath.Join(dir, f), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	synth := []string{"--backend", "go", "synth", "--models", "resnet8_48.mm_c10", "--stage", "late", "--size", "32", "--store", t.TempDir()}
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"start":    {append(slices.Clone(synth), "--images", "photos:1", "--start", "reference"), []string{"start:reference", "./reference"}},
		"null":     {append(slices.Clone(synth), "--images", "photos:1", "--null", "none"), []string{"null:none", "./none"}},
		"set":      {append(synth, "--images", "photos"), []string{"photos:171", "./photos"}},
		"plan":     {[]string{"reproduce", "--scale", "quick", "--dry-run"}, []string{"plan:quick", "./quick"}},
		"sweep":    {[]string{"sweep", "quick", "--dry-run"}, []string{"plan:quick", "./quick"}},
		"model":    {[]string{"models", "layers", "resnet8_48.mm_c10"}, []string{"model:resnet8_48.mm_c10", "./resnet8_48.mm_c10"}},
		"from":     {[]string{"train", "--arch", "resnet8_48", "--from", "resnet8_48.mm_c10"}, []string{"model:resnet8_48.mm_c10", "./resnet8_48.mm_c10"}},
		"measure":  {[]string{"measure", "photos"}, []string{"photos:171", "./photos"}},
		"classify": {[]string{"classify", "photos", "--models", "resnet8_48.mm_c10"}, []string{"photos:171", "./photos"}},
		"joined":   {append(slices.Clone(synth), "--images", "photos:1", "tench.jpg"), []string{"photos:1 is an image set, which cannot be joined with other images (photos:1 tench.jpg)"}},
		"noise":    {append(slices.Clone(synth), "--images", "photos:1", "--start", "noise"), []string{"start:noise", "./noise"}},
		"no image": {[]string{"classify", "zzzz"}, []string{"zzzz is neither a run nor an image"}},
		"no run":   {[]string{"classify", "run:zzzz"}, []string{`no run "zzzz"`}},
		"show":     {[]string{"runs", "show", "run:c63f"}, []string{`no run "c63f"`}},
		"eval":     {[]string{"eval", "run:c63f"}, []string{`no run "c63f"`}},
	} {
		p := program(t, c.args...)
		p.Dir = dir
		out, err := p.CombinedOutput()
		if err == nil {
			t.Errorf("%s is accepted: %s", name, out)
		}
		for _, w := range c.want {
			if !strings.Contains(string(out), w) {
				t.Errorf("%s: the message does not say %q: %s", name, w, out)
			}
		}
	}
	// A default that nobody typed is never a path.
	for _, args := range [][]string{append(slices.Clone(synth), "--images", "photos:1", "--steps", "1", "--null", "null:none"), {"reproduce", "--dry-run"}} {
		p := program(t, args...)
		p.Dir = dir
		if out, err := p.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", args, err, out)
		}
	}
}
