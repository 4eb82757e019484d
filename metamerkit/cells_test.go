package metamerkit

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/display"
	"github.com/ensemble-metamers/metamers/metamerkit/server"
)

// Must returns values, of a lone nil error too, and ends the program with an error,
// which is printed where no kernel shows it.
func TestMust(t *testing.T) {
	two := func(v int, err error) (int, error) { return v, err }
	if Must(two(3, nil)) != 3 || Must(4) != 4 || Must(error(nil)) != nil {
		t.Error("Must does not return its value")
	}
	switch os.Getenv("METAMERKIT_MUST") {
	case "alone":
		Must(errors.New("no such paper"))
	case "pair":
		Must(two(3, errors.New("no such paper")))
	default:
		for _, kind := range []string{"alone", "pair"} {
			cmd := exec.Command(os.Args[0], "-test.run=^TestMust$")
			cmd.Env = append(os.Environ(), "METAMERKIT_MUST="+kind)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "no such paper") {
				t.Errorf("%s: %v, %s", kind, err, out)
			}
		}
		return
	}
	t.Error("Must returned with an error")
}

// Evaluate takes one run or several, and its rows show themselves.
func TestEvaluateOne(t *testing.T) {
	Use(server.New(made{}))
	run, err := Synthesize(Recipe{Models: Set("resnet20"), Stage: "late"}, blobs())
	if err != nil {
		t.Fatal(err)
	}
	one, err := Evaluate(run)
	if err != nil || len(one) == 0 {
		t.Fatalf("%d rows, %v", len(one), err)
	}
	several, err := Evaluate([]*Run{run, run}, "resnet20")
	if err != nil || len(several) != len(one) {
		t.Errorf("%d rows, %v", len(several), err)
	}
	means := one.Overall(Recognizability).Where(func(r Row) bool { return r.Observer == NonMembers }).Means("stage")
	if len(means) == 0 {
		t.Error("no means by stage")
	}
	for _, v := range []any{one, means} {
		if b, err := display.Bundle(v); err != nil || !strings.HasPrefix(string(b["text/html"]), "<table>") {
			t.Errorf("%T: %v %v", v, b, err)
		}
	}
}
