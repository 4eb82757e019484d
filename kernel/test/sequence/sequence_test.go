//go:build !race

// The cells run in a process of their own: the race detector has nothing to find here.
package sequence

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/kernel/live"
)

// seeds.txt has the seeds of sequences that once failed.
//
//go:embed seeds.txt
var once string

// seeds are those that failed once and 30 more, 500 with METAMERS_LONG=1, or
// those of METAMERS_SEED alone (7, or 501-674). Of those that fail still it returns why.
func seeds(t *testing.T) (out []uint64, broken map[uint64]string) {
	number := func(s string) uint64 {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	broken = map[uint64]string{}
	for line := range strings.Lines(once) {
		seed, what, _ := strings.Cut(strings.TrimSpace(line), " ")
		if seed == "" || seed == "#" {
			continue
		}
		out = append(out, number(seed))
		if reason, is := strings.CutPrefix(what, "not yet: "); is {
			broken[number(seed)] = reason
		}
	}
	if s := os.Getenv("METAMERS_SEED"); s != "" {
		first, last, is := strings.Cut(s, "-")
		if !is {
			last = first
		}
		out = nil
		for n := number(first); n <= number(last); n++ {
			out = append(out, n)
		}
		return out, nil
	}
	n := uint64(30)
	if os.Getenv("METAMERS_LONG") != "" {
		n = 500
	}
	for s := range n {
		if !slices.Contains(out, s+1) {
			out = append(out, s+1)
		}
	}
	return out, broken
}

// notice matches what the session says, once, of values and methods of a type that was
// declared again with other fields.
var notice = regexp.MustCompile(`^(.*: made with the former .*\n|.* is left out .*\n)*$`)

// Cells in a session do what the same statements do as one Go program. A sequence that
// seeds.txt marks as failing still must not pass unnoticed.
func TestSequences(t *testing.T) {
	if testing.Short() {
		t.Skip("sequences of cells take a minute; -short leaves them out")
	}
	all, broken := seeds(t)
	t.Setenv("GOEXPERIMENT", "") // cells are compiled as in JupyterLab
	list, err := Make(all...)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/tmp", "sequence-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	checkout, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	s, err := live.Open(checkout, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	for _, q := range list {
		t.Run(fmt.Sprint("seed", q.Seed), func(t *testing.T) {
			s.Restart()
			wrong := difference(t, s, q)
			switch reason := broken[q.Seed]; {
			case wrong == "" && reason != "":
				t.Errorf("seed %d passes now: take it out of seeds.txt (%s)", q.Seed, reason)
			case wrong != "" && reason != "":
				t.Skipf("fails, not yet mended: %s: %s", reason, wrong)
			case wrong != "":
				t.Errorf("%s\nMETAMERS_SEED=%d runs this sequence alone", wrong, q.Seed)
			}
		})
	}
}

// difference returns what the first cell that differs did, with the cells up to it.
func difference(t *testing.T, s *live.Session, q Sequence) string {
	var before strings.Builder
	for i, c := range q.Cells {
		fmt.Fprintf(&before, "-- cell %d\n%s\n", i+1, c.Source)
		r, err := s.Try(t.Context(), c.Source) // the limit of go test ends a cell that hangs
		says := ""
		if err != nil {
			says = err.Error()
		}
		if r.Stdout != c.Prints || r.Value != c.Shows || !notice.MatchString(r.Stderr) || (c.Fails == "") != (err == nil) || !strings.Contains(says, c.Fails) {
			return fmt.Sprintf("cell %d printed %q, showed %q, failed with %q and wrote %q to standard error; expected %q, %q, %q and no more than notices:\n%s", i+1, r.Stdout, r.Value, says, r.Stderr, c.Prints, c.Shows, c.Fails, before.String())
		}
	}
	return ""
}
