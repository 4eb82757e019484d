package runs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// old makes a file or folder of yesterday.
func old(t *testing.T, path string, folder bool) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if folder {
		err = os.Mkdir(path, 0o755)
	} else if err == nil {
		err = os.WriteFile(path, []byte("half"), 0o644)
	}
	past := time.Now().Add(-25 * time.Hour)
	if err = errors.Join(err, os.Chtimes(path, past, past)); err != nil {
		t.Fatal(err)
	}
}

// ended returns the number of a process that has ended.
func ended(t *testing.T) int {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

func TestGarbage(t *testing.T) {
	s := open(t)
	finish(t, s, sample(1))
	done, unfinished, busy := sample(1).ID, sample(2).ID, sample(3).ID
	w := begin(t, s, sample(2))
	if err := errors.Join(w.Save(Checkpoint{State: []byte("7")}), w.Close()); err != nil {
		t.Fatal(err)
	}
	begin(t, s, sample(3)) // under way
	rows := metamer.Rows{{Run: done, Measure: "x", Image: -1}}
	if err := KeepRows(filepath.Join(s.Dir, done), "0123456789abcdef", rows); err != nil {
		t.Fatal(err)
	}
	part := func(id, machine string, pid int) string {
		return filepath.Join(s.Dir, fmt.Sprintf(".%s.part-%s-%d-12", id, machine, pid))
	}
	kept := []string{ // young, or their maker lives
		part(done, machine(), os.Getppid()), part(done, "0123456789ab", 1), filepath.Join(s.Dir, ".writable-1"),
		filepath.Join(s.Dir, ".nfs0001"), filepath.Join(s.Dir, "notes"), filepath.Join(s.Dir, ".damaged-"+done+"-5"),
	}
	for _, p := range kept {
		if err := os.Mkdir(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var gone []string
	add := func(path string, folder bool) {
		old(t, path, folder)
		gone = append(gone, path)
	}
	young := part(unfinished, machine(), ended(t))
	if err := os.MkdirAll(filepath.Join(young, "previews"), 0o755); err != nil {
		t.Fatal(err)
	}
	gone = append(gone, young)
	add(part(unfinished, "0123456789ab", 1), true)
	add(filepath.Join(s.Dir, ".gone-"+done+"-5"), true)
	add(filepath.Join(s.Dir, ".writable-2"), false)
	add(filepath.Join(s.Dir, "."+unfinished+".part-1"), true) // as older versions named them
	add(filepath.Join(s.Dir, ".."+unfinished+".checkpoint.new.0011.part"), false)
	add(filepath.Join(s.Dir, "."+done+".checkpoint"), false)
	add(filepath.Join(s.Dir, ".ffffffffffffffff.checkpoint"), false) // half-written
	add(filepath.Join(s.Dir, ".eeeeeeeeeeeeeeee.lock"), false)
	add(filepath.Join(s.Dir, done, "rows", ".aaaaaaaaaaaaaaaa.x.part"), false)
	add(filepath.Join(s.Dir, done, "rows", "aaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbb.csv"), false)

	found, err := s.Garbage(t.Context(), GC{})
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, g := range found {
		paths = append(paths, g.Path)
	}
	slices.Sort(paths)
	slices.Sort(gone)
	if !slices.Equal(paths, gone) {
		t.Fatalf("garbage is\n%s\nexpected\n%s", strings.Join(paths, "\n"), strings.Join(gone, "\n"))
	}
	for _, g := range found {
		if err := g.Remove(); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(g.Path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", g.Path, err)
		}
	}
	for _, p := range append(kept, filepath.Join(s.Dir, "."+busy+".lock")) {
		if _, err := os.Stat(p); err != nil {
			t.Error(err)
		}
	}
	if c := s.Verify(t.Context(), done); c.State != Whole || c.Rows != 1 {
		t.Errorf("the finished run: %+v", c)
	}
	if c, err := begin(t, s, sample(2)).Restore(); err != nil || c == nil || string(c.State) != "7" {
		t.Errorf("the unfinished run goes on from %v, %v", c, err)
	}
	if found, err = s.Garbage(t.Context(), GC{Damaged: true}); err != nil || len(found) != 1 || !strings.Contains(found[0].Path, ".damaged-") {
		t.Errorf("with damaged runs: %v, %v", found, err)
	}
}

// A whole run that was set aside by mistake is no garbage unless there is another.
func TestWholeRunAsideIsKept(t *testing.T) {
	s := open(t)
	finish(t, s, sample(1))
	id := sample(1).ID
	aside := filepath.Join(s.Dir, ".damaged-"+id+"-1")
	if err := os.Rename(filepath.Join(s.Dir, id), aside); err != nil {
		t.Fatal(err)
	}
	if found, err := s.Garbage(t.Context(), GC{Damaged: true}); err != nil || len(found) != 0 {
		t.Errorf("garbage: %v, %v", found, err)
	}
	finish(t, s, sample(1))
	if found, err := s.Garbage(t.Context(), GC{Damaged: true}); err != nil || len(found) != 1 {
		t.Errorf("garbage with another: %v, %v", found, err)
	}
}

// Where the folder has no locks, two makers of one run both end with the store's.
func TestTwoMakersWithoutLocks(t *testing.T) {
	s := open(t)
	s.noLocks = true
	a, b := begin(t, s, sample(1)), begin(t, s, sample(1))
	for i, w := range []*Work{a, b, a, b} { // checkpoints in turn are each whole
		if err := w.Save(Checkpoint{State: []byte{byte('0' + i)}}); err != nil {
			t.Fatal(err)
		}
		if c, err := b.Restore(); err != nil || string(c.State) != string([]byte{byte('0' + i)}) {
			t.Fatalf("checkpoint %v, %v", c, err)
		}
	}
	one, two := sample(1), sample(1)
	two.Seconds = 5 // as it may be
	var told []string
	b.Warn = func(s string) { told = append(told, s) }
	if err := a.Finish(one, nil); err != nil {
		t.Fatal(err)
	}
	if err := b.Finish(two, nil); err != nil {
		t.Fatal(err)
	}
	if two.Seconds != one.Seconds || two.Dir != one.Dir || len(told) != 1 || !strings.Contains(told[0], "to the same bits") {
		t.Errorf("the second got %v s in %s, told %q", two.Seconds, two.Dir, told)
	}
	other := sample(1)
	other.Metamers[0] = 0.5
	if err := b.Finish(other, nil); err != nil || len(told) != 2 || !strings.Contains(told[1], "other last bits") || other.Metamers[0] == 0.5 {
		t.Errorf("with other pixels: %v, told %q", err, told)
	}
	if c := s.Verify(t.Context(), one.ID); c.State != Whole {
		t.Errorf("%+v", c)
	}
	left, _ := filepath.Glob(filepath.Join(s.Dir, ".*"))
	if len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// A lock file that is removed while another waits for it does not let two in.
func TestLockFileRemoved(t *testing.T) {
	s := open(t)
	w := begin(t, s, sample(1))
	got := make(chan error, 1)
	go func() {
		_, run, err := s.Begin(t.Context(), sample(1).Recipe)
		if err == nil && run == nil {
			err = errors.New("a second maker")
		}
		got <- err
	}()
	time.Sleep(150 * time.Millisecond)
	if err := errors.Join(w.Finish(sample(1), nil), w.Close()); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(s.Dir, ".*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestRowsVouchForThemselves(t *testing.T) {
	s := open(t)
	finish(t, s, sample(1))
	dir, key := filepath.Join(s.Dir, sample(1).ID), "0123456789abcdef"
	if _, _, err := ReadRows(dir, key); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no rows: %v", err)
	}
	for _, v := range []float64{1, 2} {
		if err := KeepRows(dir, key, metamer.Rows{{Run: "r", Measure: "x", Image: -1, Value: v}}); err != nil {
			t.Fatal(err)
		}
		if rows, _, err := ReadRows(dir, key); err != nil || len(rows) != 1 || rows[0].Value != v {
			t.Errorf("%v: rows %v, %v", v, rows, err)
		}
	}
	paths, _ := filepath.Glob(filepath.Join(dir, "rows", "*"))
	if len(paths) != 1 {
		t.Fatalf("files %v", paths)
	}
	data, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	// A digit changes, and it would still read as rows.
	hurt := []byte(strings.Replace(string(data), ",2,", ",3,", 1))
	if err := os.WriteFile(paths[0], hurt, 0o644); err != nil || string(hurt) == string(data) {
		t.Fatal(err, string(data))
	}
	var bad *CorruptError
	if rows, _, err := ReadRows(dir, key); !errors.As(err, &bad) {
		t.Errorf("changed rows: %v, %v", rows, err)
	}
	if c := s.Verify(t.Context(), sample(1).ID); c.State != Damaged || len(c.Problems) != 1 || !strings.Contains(c.Problems[0], "rows/"+key) {
		t.Errorf("changed rows: %+v", c)
	}
}
