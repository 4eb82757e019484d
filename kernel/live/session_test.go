package live

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// open starts a session with this checkout.
func open(t *testing.T) *Session {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "live-")
	if err != nil {
		t.Fatal(err)
	}
	checkout, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(checkout, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		os.RemoveAll(dir)
	})
	return s
}

// A step is a cell with what it shows on standard output and as its value, or a part of
// its error.
type step struct{ cell, out, value, err string }

func play(t *testing.T, s *Session, steps ...step) {
	t.Helper()
	for _, x := range steps {
		r, err := s.Try(t.Context(), x.cell)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if r.Stdout != x.out || r.Value != x.value || x.err == "" && err != nil || !strings.Contains(text, x.err) {
			t.Errorf("cell:\n%s\nshowed %q, value %q, error %q; want %q, %q, %q", x.cell, r.Stdout, r.Value, text, x.out, x.value, x.err)
		}
	}
}

func TestSession(t *testing.T) {
	s := open(t)
	play(t, s,
		step{cell: "x := 3"},
		step{cell: "x", value: "3"},
		step{cell: "x++\nvar y int\nconst n = 4\na, err := strconv.Atoi(\"12\")"},
		step{cell: "fmt.Println(x, y, n, a, err)", out: "4 0 4 12 <nil>\n"},
		step{cell: "x := \"now text\""},
		step{cell: "x + \"!\"", value: "now text!"},
		step{cell: "x := len(x)"},
		step{cell: "x", value: "8"},
		// A panic keeps what ran before.
		step{cell: "b := 1\nvar m map[string]int\nm[\"k\"] = 1\nc := 2", err: "assignment to entry in nil map"},
		step{cell: "b", value: "1"},
		step{cell: "c", err: "undefined: c"},
		// Types, fields and methods that are not exported.
		step{cell: "type point struct{ x, y int }\nfunc (p point) sum() int { return p.x + p.y }\ntype shape interface{ sum() int }\np := point{x: 1, y: 2}\nps := []*point{&p}"},
		step{cell: "p.x = 10\nvar s shape = p\nfmt.Println(p, ps[0].y, s.sum(), p.sum())\nfmt.Printf(\"%+v\\n\", p)", out: "{10 2} 2 12 12\n{x:10 y:2}\n"},
		step{cell: "ps[0].x", value: "10"},
		// Functions are looked up by name.
		step{cell: "func f() int { return 1 }\nfunc g() int { return f() * 10 }"},
		step{cell: "g()", value: "10"},
		step{cell: "func f() int { return 2 }"},
		step{cell: "g()", value: "20"},
		step{cell: "var count int\nfunc inc() { count++ }\ninc()"},
		step{cell: "inc()\ncount", value: "2"},
		step{cell: "func fib(n int) int { if n < 2 { return n }; return fib(n-1) + fib(n-2) }\nfib(10)", value: "55"},
		// Generics and closures.
		step{cell: "func apply[T, U any](list []T, f func(T) U) (out []U) { for _, x := range list { out = append(out, f(x)) }; return }"},
		step{cell: "apply([]int{1, 2}, func(i int) string { return fmt.Sprint(i * x) })", value: "[8 16]"},
		step{cell: "type pair[K comparable, V any] struct { key K; value V }\nq := pair[string, int]{\"a\", 1}"},
		step{cell: "q.value++\nq.key", value: "a"},
		step{cell: "q.value", value: "2"},
		step{cell: "next := func() func() int { i := 0; return func() int { i++; return i } }()"},
		step{cell: "next()" + "\nnext()", value: "2"},
		// Imports stay, also of cells that fail.
		step{cell: "import str \"strings\"\nundefinedName()", err: "undefined: undefinedName"},
		step{cell: "str.ToUpper(\"a\")", value: "A"},
		step{cell: "import \"os\""},
		step{cell: "_ = x"},
		step{cell: "// nothing"},
		step{cell: "defer fmt.Println(\"last\")\nfmt.Println(\"first\")", out: "first\nlast\n"},
		step{cell: "i := 0\nagain:\ni++\nif i < 3 { goto again }\ni", value: "3"},
		step{cell: "m2 := map[string][]int{}\nm2[\"a\"] = append(m2[\"a\"], 1)"},
		step{cell: "m2[\"a\"] = append(m2[\"a\"], 2)\nm2", value: "map[a:[1 2]]"},
		step{cell: "json.NewEncoder(os.Stdout).Encode(struct{ A int; b int }{1, 2})", out: "{\"A\":1}\n"},
		step{cell: "resp := http.Header{}"},
		step{cell: "resp.Set(\"a\", \"b\")\nlen(resp)", value: "1"},
		step{cell: "strconv.Atoi(\"z\")", err: "invalid syntax"},
		step{cell: "if len(m2) > 0 { x := 1; _ = x }\nx", value: "8"},
		step{cell: "switch v := any(p).(type) { case point: fmt.Println(v.x) }", out: "10\n"},
		step{cell: "init_ := 1\nfunc init() { fmt.Println(\"init\") }", out: "init\n"},
		step{cell: "func main() { fmt.Println(\"main\") }", out: "main\n"},
	)
}

func TestSame(t *testing.T) {
	s := open(t)
	play(t, s, step{cell: "total := 0\nfunc add() { total++ }"})
	for _, want := range []string{"1", "2", "3"} {
		play(t, s, step{cell: "add()\ntotal", value: want})
	}
	before := len(s.notebook.Packages())
	play(t, s, step{cell: "total := 0\nfunc add() { total++ }"}, step{cell: "add()\ntotal", value: "1"})
	if now := len(s.notebook.Packages()); now != before {
		t.Errorf("%d packages after cells were run again, %d before", now, before)
	}
}
