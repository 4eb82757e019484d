package metamerkit

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/ensemble-metamers/metamers/"

// These packages link no GoMLX, so that a notebook cell that needs only results
// compiles fast; and nothing below the engine knows the engine or the figures.
func TestImportsPointDown(t *testing.T) {
	deps := func(pkg string) string {
		out, err := exec.Command("go", "list", "-deps", strings.TrimSuffix(module+"metamerkit/"+pkg, "/.")).Output()
		if err != nil {
			t.Fatalf("go list %s: %v", pkg, err)
		}
		return string(out)
	}
	for _, p := range []string{"metamer", "card", "weights", "images", "evaluate", "runs", "figures", "paths", "filecache", "fetch", "external", "hub", "weightfiles", "labels", "claims", "display", "table", "client", "server", "study", "benchmark", "api", "distortion", "sweep", "people", "people/page", "people/simulate", "people/serve", "people/answers", "."} {
		d := deps(p)
		if strings.Contains(d, "github.com/gomlx/") {
			t.Errorf("%s links GoMLX", p)
		}
		if strings.Contains(d, "minio") {
			t.Errorf("%s links an object store's client", p)
		}
	}
	// What a cell links: the linker's time is the time that an edited cell takes.
	for _, p := range []string{".", "api", "client", "display", "table", "metamer"} {
		d := deps(p)
		for _, heavy := range []string{"gonum.org/", "\nnet/http\n", "metamerkit/images\n", "metamerkit/figures\n", "metamerkit/study\n", "metamerkit/weights\n", "\ntext/template\n"} {
			if strings.Contains(d, heavy) {
				t.Errorf("%s links %s", p, strings.TrimSpace(heavy))
			}
		}
	}
	for _, p := range []string{"synth", "train", "imgmetrics", "zoo/all", "stage", "backend", "weights", "evaluate", "runs"} {
		for _, up := range []string{"metamerkit/engine\n", "metamerkit/figures\n", "cmd/"} {
			if strings.Contains(deps(p), module+up) {
				t.Errorf("%s imports %s", p, up)
			}
		}
	}
}
