package live

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ensemble-metamers/metamers/kernel/plugins"
)

// some are cells that need the run-time, packages of the library and others, and each other.
var some = []step{
	{cell: "type point struct{ x, y int }\nfunc (p point) String() string { return fmt.Sprint(p.x, \"/\", p.y) }\nps := []point{{1, 2}}\nm := map[string]any{\"a\": ps}"},
	{cell: "fmt.Println(m[\"a\"].([]point)[0], any(ps[0]).(fmt.Stringer).String())", out: "1/2 1/2\n"},
	{cell: "json.NewEncoder(os.Stdout).Encode(m)\nruntime.GC()", out: "{\"a\":[{}]}\n"},
	{cell: "ps[len(ps)].x", err: "index out of range"},
	{cell: "done := make(chan string)\ngo func() { done <- http.StatusText(404) }()\n<-done", value: "Not Found"},
}

// openFresh starts a session with an empty cache.
func openFresh(t *testing.T, cache string) *Session {
	t.Helper()
	s := open(t)
	s.o.Builder.Cache = cache
	return s
}

// compilers puts a gcc before the others that does something else where a part of its
// arguments is there.
func compilers(t *testing.T, part, instead string) {
	t.Helper()
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("it stands in for gcc, which is not here")
	}
	dir := t.TempDir()
	path := os.Getenv("PATH")
	text := "#!/bin/sh\ncase \" $* \" in *" + part + "*) " + instead + " ;; esac\nPATH='" + path + "' exec gcc \"$@\"\n"
	if err := os.WriteFile(filepath.Join(dir, "gcc"), []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+path)
	t.Setenv("CC", "")
}

// Sessions that start at the same time with an empty cache build the library side by side.
// They go on without what they left in the cache.
func TestLibrary(t *testing.T) {
	cache := t.TempDir()
	sessions := []*Session{openFresh(t, cache), openFresh(t, cache)}
	var all sync.WaitGroup
	for _, s := range sessions {
		all.Go(func() { play(t, s, some...) })
	}
	all.Wait()
	if text := plugins.Sharing(cache); !strings.HasPrefix(text, "cells share "+cache) {
		t.Error(text)
	}
	left, err := os.ReadDir(cache)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range left {
		if f.IsDir() {
			t.Errorf("%s is left in the cache", f.Name())
		}
		os.RemoveAll(filepath.Join(cache, f.Name()))
	}
	play(t, sessions[1], step{cell: "len(ps) + 1", value: "2"})
	sessions[1].Restart()
	play(t, sessions[1], some...)
}

// Where the C compiler links no library, or one that does not work, each cell has a copy of
// the standard library; that is not tried again.
func TestWithoutLibrary(t *testing.T) {
	for _, x := range []struct{ name, part, instead, why string }{
		{"refused", `" -shared "*libcells-`, "echo no library >&2; exit 1", "no library"},
		{"broken", `"/host "`, `for f; do case $was in -o) printf '#!/bin/sh\necho is broken >&2\nexit 3\n' > $f; chmod 700 $f; exit 0 ;; esac; was=$f; done`, "is broken"},
	} {
		t.Run(x.name, func(t *testing.T) {
			compilers(t, x.part, x.instead)
			cache := t.TempDir()
			for range 2 {
				s := openFresh(t, cache)
				play(t, s, some...)
				if text := plugins.Sharing(cache); !strings.HasPrefix(text, "each cell has a copy of the standard library") || !strings.Contains(text, x.why) {
					t.Error(text)
				}
				// What a plugin has in its file as it is in memory is given back after the
				// cell: about 1.7 MB, of which some pages come again.
				if least, _ := clean(t, s); least >= 1000 {
					t.Errorf("%d kB of a plugin are as in its file", least)
				}
				// So that the second session would not find it made again.
				refused, err := filepath.Glob(filepath.Join(cache, "*.refused"))
				if err != nil || len(refused) != 1 {
					t.Fatal(refused, err)
				}
				if err := os.WriteFile(refused[0], []byte(x.why+", told before"), 0o600); err != nil {
					t.Fatal(err)
				}
				x.why += ", told before"
			}
		})
	}
}

// A plugin has no more than what is its cell's own.
func TestMemory(t *testing.T) {
	s := open(t)
	play(t, s, step{cell: "x := 1"}, step{cell: "fmt.Println(x)", out: "1\n"})
	if _, most := clean(t, s); most >= 100 {
		t.Errorf("%d kB of a plugin are as in its file", most)
	}
}

// clean is how many kB of each plugin are in memory as they are in its file: the least and the
// most of all.
func clean(t *testing.T, s *Session) (least, most int) {
	t.Helper()
	r, err := s.Try(t.Context(), `at := map[string]int{}
file := ""
smaps, err := os.ReadFile("/proc/self/smaps")
for line := range strings.Lines(string(smaps)) {
	words := strings.Fields(line)
	switch {
	case strings.Contains(words[0], "-"):
		file = ""
		if strings.Contains(line, "/cells/c") {
			file = words[5]
		}
	case file != "" && (words[0] == "Rss:" || words[0] == "Anonymous:"):
		n, _ := strconv.Atoi(words[1])
		if words[0] == "Anonymous:" {
			n = -n
		}
		at[file] += n
	}
}
kB := slices.Sorted(maps.Values(at))
fmt.Println(kB[0], kB[len(kB)-1])`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(r.Stdout, &least, &most); err != nil {
		t.Fatal(r.Stdout, err)
	}
	return least, most
}
