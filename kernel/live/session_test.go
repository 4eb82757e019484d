package live

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ensemble-metamers/metamers/kernel/cell"
)

// open starts a session with this checkout.
func open(t *testing.T) *Session {
	t.Helper()
	checkout, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return openIn(t, checkout)
}

// openIn starts a session with a checkout.
func openIn(t *testing.T, checkout string) *Session {
	t.Helper()
	if os.Getenv("CGO_ENABLED") == "0" {
		t.Skip("a session links plugins, which needs cgo; CGO_ENABLED is 0")
	}
	dir, err := os.MkdirTemp("/tmp", "live-")
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
		step{cell: "m2[\"a\"] = append(m2[\"a\"], 2)\nfmt.Sprint(m2)", value: "map[a:[1 2]]"},
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

func TestTypes(t *testing.T) {
	s := open(t)
	play(t, s,
		step{cell: "type point struct{ x, y int }\nfunc (p point) sum() int { return p.x + p.y }\nfunc double(p point) point { return point{2 * p.x, 2 * p.y} }"},
		step{cell: "p := point{1, 2}\nlist := []point{p}\nby := map[string]*point{\"p\": &p}"},
		// A method in a later cell.
		step{cell: "func (p *point) add(n int) { p.x += n }"},
		step{cell: "p.add(10)\nfmt.Println(p.sum(), by[\"p\"].x, list[0].sum(), double(p).x)", out: "13 11 3 22\n"},
		step{cell: "by[\"p\"].add(1)\nlist[0].add(5)\nfmt.Println(p.x, list)", out: "12 [{6 2}]\n"},
		// A method again, with another body.
		step{cell: "func (p point) sum() int { return 100 + p.x + p.y }"},
		step{cell: "p.sum()", value: "114"},
		// A type that names it.
		step{cell: "type box struct{ in point }\nfunc (b box) area() int { return b.in.sum() }\nb := box{p}"},
		step{cell: "func (p point) neg() point { return point{-p.x, -p.y} }"},
		step{cell: "b.in = b.in.neg()\nb.area()", value: "86"},
		// Another layout.
		step{cell: "type point struct{ x, y, z int }"}, // neg has too few values for it
		step{cell: "q := point{z: 3}\nfmt.Println(q.sum(), q.z)", out: "100 3\n"},
		step{cell: "p.x", value: "12"},
		step{cell: "p = q", err: "cannot use q"},
		step{cell: "p := q\np.z", value: "3"},
	)
	r, err := s.Try(t.Context(), "type point struct{ a int }")
	if err != nil || !strings.Contains(r.Stderr, "p, q: made with the former point") {
		t.Errorf("another point: %q, %v", r.Stderr, err)
	}
}

// Embedded types, and other names of types of earlier cells.
func TestEmbedded(t *testing.T) {
	play(t, open(t),
		step{cell: "type base struct{ x int }\nfunc (b base) show() string { return fmt.Sprint(\"base \", b.x) }\ntype derived struct { base; y int }\nd := derived{base{1}, 2}\nfmt.Println(d.x, d.base.x, d)", out: "1 1 {{1} 2}\n"},
		step{cell: "type other struct { *base }\no := other{&base{5}}\no.x++\nfmt.Println(o.base.x, d.base, reflect.TypeOf(d).Field(0).Name)", out: "6 {1} base\n"},
		step{cell: "type pair[T any] struct { base; v T }\ntype two struct { pair[int]; *other; error; sync.Mutex }\nt := &two{other: &o}\nt.pair.v = 3\nt.Lock()\nfmt.Println(t.v, t.other.x, t.pair.base.x, t.error)", out: "3 6 0 <nil>\n"},
		step{cell: "func local() string {\n\ttype in struct{ z int }\n\ttype out struct { in; base }\n\tv := out{in{1}, base{2}}\n\tv.in.z++\n\treturn fmt.Sprint(v, v.z, v.base.x)\n}\nlocal()", value: "{{2} {2}} 2 2"},
		step{cell: "type shower interface { show() string }\ntype hold struct { shower }"},
		step{cell: "h := hold{d}\nfmt.Println(d.show(), h.shower.show(), any(h).(shower).show())", out: "base 1 base 1 base 1\n"},
		step{cell: "type alias = base\ntype viaAlias struct { alias }\nv := viaAlias{alias{9}}\nfmt.Println(v.alias.x, v.x, v.show())", out: "9 9 base 9\n"},
		step{cell: "type again base\ntype more = alias\nfmt.Println(again{4}.x, more{5}.x)", out: "4 5\n"},
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

// A teller is an output that says when something was written.
type teller struct {
	collected
	wrote func()
}

func (t *teller) Stream(name, text string) {
	t.collected.Stream(name, text)
	t.wrote()
}

// interrupt runs a cell and interrupts it once it has written something.
func interrupt(t *testing.T, s *Session, text string) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	return s.Run(ctx, Cell{Cell: cell.Parse(text), ID: cell.ID(text)}, &teller{wrote: cancel})
}

func TestInterrupt(t *testing.T) {
	s := open(t)
	s.grace = time.Hour // a busy machine may take more than a cell has otherwise
	play(t, s, step{cell: "n := 0\nfunc forever() { for {} }\nvar g int\nstop := make(chan bool)"})
	for _, text := range []string{
		"for { n++; if n == 3 { fmt.Println() } }",
		"fmt.Println()\nforever()",
		"fmt.Println()\nagain:\nn++\ngoto again",
		"fmt.Println()\nfunc() { for range 1 << 62 { func() { n++ }() } }()",
		"fmt.Println()\n<-make(chan int)",
		"fmt.Println()\nexec.Command(\"sleep\", \"1000\").Run()\nfor {}",
	} {
		if err := interrupt(t, s, text); !errors.Is(err, ErrInterrupted) {
			t.Errorf("%s: %v", text, err)
		}
	}
	play(t, s, step{cell: "n > 2", value: "true"})
	// A goroutine goes on.
	play(t, s, step{cell: "go func() { for { select { case <-stop: return; default: g++ } } }()"})
	if err := interrupt(t, s, "fmt.Println()\nfor {}"); !errors.Is(err, ErrInterrupted) {
		t.Error(err)
	}
	play(t, s, step{cell: "before := g\nfor g == before { runtime.Gosched() }\nstop <- true\ng > before", value: "true"})
	// A call that cannot be stopped ends the session.
	s.grace = graceTime
	var ended *EndError
	if err := interrupt(t, s, "var mu sync.Mutex\nmu.Lock()\nfmt.Println()\nmu.Lock()"); !errors.As(err, &ended) || !slices.Contains(ended.Lost, "n") {
		t.Errorf("a lock that nobody opens: %v", err)
	}
	play(t, s, step{cell: "n", err: "n was lost when the session ended"}, step{cell: "n := 1\nn", value: "1"})
}

// An interrupt ends a compiler too, and what the cell would have defined has a hint.
func TestInterruptWhileCompiling(t *testing.T) {
	s := open(t)
	play(t, s, step{cell: "x := 3"})
	ctx, cancel := context.WithCancel(t.Context())
	s.o.Builder.Start = func(cmd *exec.Cmd) error { // in the place of the compiler: it takes for ever
		cmd.Path, cmd.Args = "/bin/sleep", []string{"sleep", "100000"}
		err := cmd.Start()
		cancel()
		return err
	}
	if _, err := s.Try(ctx, "y := 4"); !errors.Is(err, ErrInterrupted) {
		t.Fatalf("error %v, want ErrInterrupted", err)
	}
	s.o.Builder.Start = nil
	play(t, s,
		step{cell: "y", err: "y was not defined, because its cell was interrupted before it ran"},
		step{cell: "y := x + 1\ny", value: "4"})
}

func TestEnds(t *testing.T) {
	s := open(t)
	for _, x := range []struct{ cell, why, text string }{
		{"keep := 1\nos.Exit(3)", "exit status 3", ""},
		{"keep := 1\ngo func() { panic(\"elsewhere\") }()\nselect {}", "exit status 2", "panic: elsewhere"},
		{"keep := 1\nvar f func(n int) int\nf = func(n int) int { return f(n+1) + 1 }\nf(0)", "exit status 2", "stack"},
		{"keep := 1\nvar mu sync.Mutex\nmu.Unlock()", "exit status 2", "unlock of unlocked mutex"},
	} {
		play(t, s, step{cell: "lost := 1"})
		_, err := s.Try(t.Context(), x.cell)
		var ended *EndError
		if !errors.As(err, &ended) || ended.Why != x.why || !strings.Contains(ended.Text, x.text) || !slices.Contains(ended.Lost, "lost") {
			t.Errorf("%s: %v, %+v", x.cell, err, ended)
		}
		play(t, s, step{cell: "lost", err: "lost was lost"})
	}
	play(t, s, step{cell: "x := 1"})
	s.process.cmd.Process.Kill()
	<-s.process.died
	r, err := s.Try(t.Context(), "2")
	if err != nil || r.Value != "2" || !strings.Contains(r.Stderr, "signal: killed; lost: x") {
		t.Errorf("after kill -9: %+v, %v", r, err)
	}
}

// A cell that is interrupted while it is loaded has its grace once it is: packages that take
// long to begin do not end the session.
func TestInterruptWhileLoading(t *testing.T) {
	checkout, write := copied(t)
	if err := os.Mkdir(filepath.Join(checkout, "metamerkit/slow"), 0o700); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write("metamerkit/slow/slow.go", `package slow

import (
	"os"
	"time"
)

func init() {
	os.WriteFile(os.Getenv("SLOW")+"/loading", nil, 0o600)
	for {
		if _, err := os.Stat(os.Getenv("SLOW") + "/go"); err == nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

const Two = 2
`)
	t.Setenv("SLOW", dir)
	s := openIn(t, checkout)
	play(t, s, step{cell: "x := 3"})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for {
			if _, err := os.Stat(filepath.Join(dir, "loading")); err == nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		cancel()
		time.Sleep(graceTime + graceTime/2)
		os.WriteFile(filepath.Join(dir, "go"), nil, 0o600)
	}()
	r, err := s.Try(ctx, "import \"github.com/ensemble-metamers/metamers/metamerkit/slow\"\nfmt.Println(slow.Two)")
	if !errors.Is(err, ErrInterrupted) || r.Stdout != "" {
		t.Errorf("error %v, showed %q", err, r.Stdout)
	}
	play(t, s, step{cell: "x + slow.Two", value: "5"})
}

// copied returns a checkout with what a session needs, and a function that writes a file in it.
func copied(t *testing.T) (checkout string, write func(file, text string)) {
	checkout = t.TempDir()
	for _, part := range []string{"go.mod", "go.sum", "metamerkit", "kernel/live"} {
		from, to := filepath.Join("../..", part), filepath.Join(checkout, part)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(from); err != nil {
			t.Fatal(err)
		} else if info.IsDir() {
			if err := os.CopyFS(to, os.DirFS(from)); err != nil {
				t.Fatal(err)
			}
		} else if data, err := os.ReadFile(from); err != nil || os.WriteFile(to, data, 0o600) != nil {
			t.Fatal(part, err)
		}
	}
	return checkout, func(file, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(checkout, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Sources of the checkout that are edited under a session are taken by the next one; a cell
// that cannot do without them has it started.
func TestSourcesChange(t *testing.T) {
	checkout, write := copied(t)
	s := openIn(t, checkout)
	play(t, s, step{cell: "x := 1\ndisplay.Text(x)", value: "1"})
	write("metamerkit/display/answer.go", "package display\n\nfunc Answer() int { return 42 }\n")
	play(t, s,
		step{cell: "x + 1", value: "2"},
		step{cell: "display.Answer()", err: "undefined: display.Answer"},
	)
	s.Restart()
	play(t, s, step{cell: "y := display.Answer()\ny", value: "42"})
	// A new package needs what the session has in a former state.
	write("metamerkit/display/answer.go", "package display\n\nfunc Answer() int { return 43 }\n")
	if err := os.Mkdir(filepath.Join(checkout, "metamerkit/more"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("metamerkit/more/more.go", "package more\n\nimport \"github.com/ensemble-metamers/metamers/metamerkit/display\"\n\nfunc Twice() int { return 2 * display.Answer() }\n")
	r, err := s.Try(t.Context(), "import \"github.com/ensemble-metamers/metamers/metamerkit/more\"\nmore.Twice()")
	if err != nil || r.Value != "86" || !strings.Contains(r.Stderr, "packages of this checkout were changed since the session began: a new one was started with them; lost: y\n") {
		t.Errorf("value %q, error %v, standard error %q", r.Value, err, r.Stderr)
	}
	play(t, s,
		step{cell: "y", err: "y was lost when a new session was started, because packages of this checkout were changed"},
		step{cell: "display.Answer()", value: "43"},
		step{cell: "z := 1"},
	)
	// What a session that ended had is said to be lost in the next one, whatever that compiles.
	if _, err := s.Try(t.Context(), "os.Exit(3)"); err == nil {
		t.Error("the session did not end")
	}
	write("metamerkit/display/answer.go", "package display\n\nfunc Answer() int { return 44 }\n")
	play(t, s,
		step{cell: "z", err: "z was lost when the session ended (exit status 3)"},
		step{cell: "display.Answer()", value: "44"},
	)
}
