package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// torchPython returns a Python that has PyTorch: METAMERS_PYTHON, else python3.
func torchPython(t *testing.T) string {
	t.Helper()
	python := os.Getenv("METAMERS_PYTHON")
	if python == "" {
		python = "python3"
	}
	if out, err := exec.Command(python, "-c", "import torch, torchvision, onnx, onnxscript, safetensors").CombinedOutput(); err != nil {
		t.Skipf("%s has no PyTorch with torchvision, onnx, onnxscript and safetensors (METAMERS_PYTHON names one that has): %s", python, lastLine(string(out)))
	}
	return python
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

var fence = regexp.MustCompile("(?ms)^```(python|sh)\n(.*?)^```$")

const ownPage = "../../docs/your-own-model.md"

// The page's scripts and commands are run in its order, by one Python.
func TestYourOwnModelPage(t *testing.T) {
	python := torchPython(t)
	page, err := os.ReadFile(ownPage)
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	script.WriteString("import subprocess\n")
	blocks := map[string]int{}
	for _, b := range fence.FindAllStringSubmatch(string(page), -1) {
		blocks[b[1]]++
		if b[1] == "python" {
			script.WriteString(b[2])
		} else {
			fmt.Fprintf(&script, "subprocess.run(['bash', '-ec', %q], check=True)\n", b[2])
		}
	}
	if blocks["python"] < 5 || blocks["sh"] < 5 {
		t.Fatalf("the page has %v blocks", blocks)
	}
	out := runPython(t, python, script.String())
	t.Log(out)
	for _, want := range []string{"classes: 10, without names", "  layer1 [56 56 64]: largest difference", "  logits [10]: largest difference", "added named:", "added net:", "← two thirds", "relative L2 distance of the late activations: ["} {
		if !strings.Contains(out, want) {
			t.Errorf("the page's commands print no %q:\n%s", want, out)
		}
	}
}

// runPython runs a script in a folder of its own, with the program as metamers on the path.
func runPython(t *testing.T, python, script string) string {
	t.Helper()
	dir, bin := t.TempDir(), t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(bin, "metamers")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "page.py")
	if err := os.WriteFile(path, []byte(script), 0o666); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(python, path)
	c.Dir = dir
	cache := t.TempDir()
	if home, err := os.UserCacheDir(); err == nil { // the plugins stay where they are
		if err := os.Symlink(filepath.Join(home, "metamers", "plugins"), filepath.Join(cache, "plugins")); err != nil {
			t.Fatal(err)
		}
	}
	c.Env = append(os.Environ(), asMain+"=1", "METAMERS_CACHE="+cache, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "PYTHONWARNINGS=ignore")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// The script of models add --help is the page's.
func TestCheckScript(t *testing.T) {
	page, err := os.ReadFile(ownPage)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "```python\n"+checkScript+"```") {
		t.Errorf("docs/your-own-model.md does not have the script of models add --help")
	}
	help := (&modelsAddCmd{}).Help()
	for _, text := range []string{checkScript, exportLine} {
		if !strings.Contains(help, indented(text)) {
			t.Errorf("models add --help lacks\n%s", text)
		}
	}
	for _, line := range strings.Split(help, "\n") {
		if strings.HasPrefix(line, "  ") && len(line) > 76 && !strings.Contains(line, "metamers models add") {
			t.Errorf("a line of %d columns in models add --help: %s", len(line), line)
		}
	}
}

// Three networks go the whole way by the commands that a user types, and agree with PyTorch in
// activations, logits and gradients (testdata/scripts/own_three.py, which also made the page's table).
func TestThreeOwnModels(t *testing.T) {
	python := torchPython(t)
	if out, err := exec.Command(python, "-c", "import timm").CombinedOutput(); err != nil {
		t.Skipf("%s has no timm: %s", python, lastLine(string(out)))
	}
	script, err := os.ReadFile("../../testdata/scripts/own_three.py")
	if err != nil {
		t.Fatal(err)
	}
	out := runPython(t, python, string(script))
	t.Log(out)
	if !strings.HasSuffix(strings.TrimSpace(out), "all agree") || strings.Count(out, "\nadded ") != 5 {
		t.Errorf("the networks do not agree:\n%s", out)
	}
}
