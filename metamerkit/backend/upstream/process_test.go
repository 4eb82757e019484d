package upstream

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// child says to the test binary that it is the process that is to die.
const child = "UPSTREAM_CHILD"

// survived is what a child prints at its end.
const survived = "child: survived"

// inChild runs f in a process of its own, for failures that no recover catches,
// and returns its output and whether it came to its end. The child has two
// processors, whatever the machine has.
func inChild(t *testing.T, f func(t *testing.T)) (output string, ok bool) {
	t.Helper()
	if os.Getenv(child) == t.Name() {
		f(t)
		t.Log(survived)
		t.SkipNow()
	}
	var pattern []string
	for part := range strings.SplitSeq(t.Name(), "/") {
		pattern = append(pattern, "^"+part+"$")
	}
	cmd := exec.Command(os.Args[0], "-test.run", strings.Join(pattern, "/"), "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), child+"="+t.Name(), "GOMAXPROCS=2")
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("running %s: %v", cmd, err)
	}
	return string(out), err == nil && strings.Contains(string(out), survived)
}
