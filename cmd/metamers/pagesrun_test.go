package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// onlyParsed are the commands of pages that TestPagesRun leaves to TestCommandsOfPages, as
// regular expressions, with the reason.
var onlyParsed = []struct{ command, why string }{
	{"…", "the page leaves out a part of the command"},
	{"/path/to/plugin.so", "needs a plugin for another device"},
	{"^models pull", "downloads weights"},
	{"^models layers resnet50", "needs weights that are downloaded"},
	{"net.onnx", "needs a file that PyTorch writes; TestYourOwnModelPage writes and adds two"},
	{"met.npy|plenoptic.pt", "every model on the machine observes, for minutes; package external reads such files"},
	{"in1k|resnet50,vit_tiny|clip_224|efficientnet_lite0", "needs weights that are downloaded"},
	{"--scale imagenet", "takes hours and needs weights that are downloaded"},
	{"--scale apart", "takes many minutes; package study tests such plans"},
	{"^distortions", "takes a minute; TestDistortions runs it"},
	{"--against|--variants", "takes a minute; package synth and TestVariants run it"},
	{"^reproduce$", "takes eight minutes; CI runs it with fewer steps (make reproduce)"},
	{"^lab", "goes on until it is stopped; scripts/test-lab.sh runs it"},
	{"^engine serve", "goes on until it is stopped; kernel/test/test_far.py runs it"},
	{"^experiment make", "downloads jsPsych; package people makes experiments"},
	{"^experiment serve", "waits for participants; package people/serve runs it"},
	{"^experiment read", "needs answers; package people/simulate reads them"},
	{"--people exp|fig3,table5,people", "needs answers; package study has people as observers"},
	{"s3://|gs://|azblob://", "needs a server; package runs/bucket has one"},
	{"^sweep plan.yaml --on", "needs a cluster; scripts/test-slurm.sh and test-manifests.sh run it"},
	{"^train", "takes hours; package train trains"},
	{"^attack", "takes many minutes; package train attacks"},
	{"--niqe-model", "needs the files of other authors"},
}

// alreadyRun are pages whose commands are carried out or written by another test.
var alreadyRun = []string{"commands.md", "your-own-model.md"}

// Every command on a page of the documentation works as it stands there, in a folder that
// has the files it names; onlyParsed names the exceptions. Runs that a page calls 3f2a,
// 91bc and 77d0 are three runs made beforehand, and plan.yaml is a small plan.
func TestPagesRun(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes without XLA")
	}
	needsData(t)
	dir := t.TempDir()
	env := pageEnvironment(t, dir)
	program := func(args ...string) (string, string, int) {
		c := program(t, append(slices.Clone(env), args...)...)
		c.Dir = dir
		var out, errs bytes.Buffer
		c.Stdout, c.Stderr = &out, &errs
		if err := c.Run(); err != nil && c.ProcessState == nil {
			t.Fatal(err)
		}
		t.Logf("%5.1f s of processor: metamers %s", (c.ProcessState.UserTime() + c.ProcessState.SystemTime()).Seconds(), strings.Join(args, " "))
		return out.String(), errs.String(), c.ProcessState.ExitCode()
	}
	names := runsOfPages(t, program)
	filesOfPages(t, dir)
	if _, errs, status := program("reproduce", "--scale", "plan.yaml"); status != 0 { // pages draw its figures
		t.Fatal(errs)
	}

	unused := map[string]bool{}
	for _, p := range onlyParsed {
		unused[p.command] = true
	}
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	done := 0
	for _, page := range append(pages, "../../README.md") {
		if slices.Contains(alreadyRun, filepath.Base(page)) {
			continue
		}
		for _, line := range commandsOf(t, page) {
			i := slices.IndexFunc(onlyParsed, func(p struct{ command, why string }) bool {
				return regexp.MustCompile(p.command).MatchString(line)
			})
			if i >= 0 {
				delete(unused, onlyParsed[i].command)
				t.Logf("%s: not run: metamers %s: %s", filepath.Base(page), line, onlyParsed[i].why)
				continue
			}
			done++
			var args []string
			for _, w := range pageWord.FindAllString(line, -1) {
				args = append(args, names.Replace(strings.Trim(w, `'"`)))
			}
			_, errs, status := program(args...)
			if status != 0 {
				t.Errorf("%s: metamers %s ended with status %d: %s", filepath.Base(page), line, status, errs)
			}
		}
	}
	for command := range unused {
		t.Errorf("no page has a command with %q any more: take it from onlyParsed", command)
	}
	if done < 25 {
		t.Errorf("%d commands were run, expected 25 or more", done)
	}
}

// pageEnvironment is a cache and a store for the commands of pages, with the plugins of this machine.
func pageEnvironment(t *testing.T, dir string) []string {
	t.Helper()
	cache := t.TempDir()
	if home, err := os.UserCacheDir(); err == nil {
		if err := os.Symlink(filepath.Join(home, "metamers", "plugins"), filepath.Join(cache, "plugins")); err != nil {
			t.Fatal(err)
		}
	}
	return []string{"METAMERS_CACHE=" + cache, "METAMERS_RUNS=" + filepath.Join(dir, "runs"), "METAMERS_PROGRESS=none"}
}

// runsOfPages makes three small runs and returns what puts their IDs in place of the pages'.
func runsOfPages(t *testing.T, program func(...string) (string, string, int)) *strings.Replacer {
	t.Helper()
	var pairs []string
	for name, models := range map[string]string{"3f2a": "resnet8_48.mm_c10", "91bc": "vit_4_96.mm_c10", "77d0": "resnet8_48.mm_c10,vit_4_96.mm_c10"} {
		out, errs, status := program("synth", "--models", models, "--stage", "late", "--images", "photos:16", "--size", "32", "--evaluations", "10", "--json")
		var run struct{ ID string }
		if err := json.Unmarshal([]byte(out), &run); status != 0 || err != nil || run.ID == "" {
			t.Fatalf("no run: %v %s %s", err, out, errs)
		}
		pairs = append(pairs, name, run.ID)
	}
	return strings.NewReplacer(pairs...)
}

// filesOfPages puts the files that pages name into a folder.
func filesOfPages(t *testing.T, dir string) {
	t.Helper()
	photos := "../../testdata/photos"
	for to, from := range map[string]string{
		"a.jpg": photos + "/adenium.jpg", "b.jpg": photos + "/crow.jpg", "photo.jpg": photos + "/badger.jpg",
		"ref/1.jpg": photos + "/bison.jpg", "ref/2.jpg": photos + "/cow.jpg", "met/1.jpg": photos + "/bull.jpg", "met/2.jpg": photos + "/crow.jpg",
		"originals/1.jpg": photos + "/bison.jpg", "metamers/1.jpg": photos + "/bull.jpg",
	} {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, to), data)
	}
	write(t, filepath.Join(dir, "plan.yaml"), []byte("images: photos:16\nsize: 32\nsets: [plain7_48.mm_c10]\nstages: [late]\nobservers: [resnet8_48.mm_c10]\nsettings: {steps: 4}\n"))
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
}
