// Package sequence makes random sequences of cells, and says what they are to print, show
// and fail with: it writes the same statements as one Go program, runs it, and takes what
// that does.
package sequence

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A Sequence is cells that follow each other in one session.
type Sequence struct {
	Seed  uint64
	Cells []*Cell
}

// Make makes sequences with what their cells do.
func Make(seeds ...uint64) ([]Sequence, error) {
	dir, err := os.MkdirTemp("", "sequence")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	write := func(name, text string) error {
		return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)
	}
	var out []Sequence
	var calls strings.Builder
	for _, seed := range seeds {
		cells, declarations := newGenerator(seed).sequence()
		out = append(out, Sequence{seed, cells})
		fmt.Fprintf(&calls, "\ts%d()\n", seed)
		if err := write(fmt.Sprintf("s%d.go", seed), program(seed, cells, declarations)); err != nil {
			return nil, err
		}
	}
	if err := write("main.go", fmt.Sprintf(mainText, calls.String())); err != nil {
		return nil, err
	}
	if err := write("go.mod", "module sequences\n\ngo 1.27\n"); err != nil {
		return nil, err
	}
	build := exec.Command("go", "build", "-o", "sequences", ".")
	build.Dir = dir
	if text, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("the program does not compile: %w\n%s", err, text)
	}
	run := exec.Command(filepath.Join(dir, "sequences"))
	var stdout, stderr bytes.Buffer
	run.Stdout, run.Stderr = &stdout, &stderr
	if err := run.Run(); err != nil {
		return nil, fmt.Errorf("the program failed: %w\n%s", err, stderr.Bytes())
	}
	parts := strings.Split(stdout.String(), "\x00")
	at := 0
	for _, s := range out {
		for _, c := range s.Cells {
			if len(parts) < at+4 {
				return nil, fmt.Errorf("the program ended before seed %d", s.Seed)
			}
			c.Prints, c.Shows = parts[at], parts[at+1]
			if parts[at+2] != "" {
				c.Fails = parts[at+2]
			}
			at += 3
		}
	}
	return out, nil
}

// program is a sequence as a file of the Go program.
func program(seed uint64, cells []*Cell, declarations []string) string {
	var b strings.Builder
	b.WriteString("package main\n\nimport (\n\t\"errors\"\n\t\"fmt\"\n\t\"io\"\n\t\"slices\"\n\t\"strconv\"\n\t\"strings\"\n)\n\nvar (\n\t_ = errors.New\n\t_ = fmt.Println\n\t_ = io.EOF\n\t_ = slices.Contains[[]int]\n\t_ = strconv.Itoa\n\t_ = strings.ToUpper\n)\n\n")
	for _, d := range declarations {
		b.WriteString(d + "\n")
	}
	fmt.Fprintf(&b, "\nfunc s%d() {\n", seed)
	for _, c := range cells {
		fmt.Fprintf(&b, "cell(func() (value any) {\n%s\nreturn value\n})\n", c.program)
	}
	b.WriteString("}\n")
	return spell(b.String(), func(name, version string) string { return fmt.Sprintf("s%d_%s_%s", seed, name, version) })
}

const mainText = `package main

import "fmt"

// cell runs a cell and writes, after what it printed, what it shows and its panic.
func cell(f func() any) {
	shown, failed := "", ""
	func() {
		defer func() {
			if r := recover(); r != nil {
				failed = fmt.Sprint(r)
			}
		}()
		if v := f(); v != nil {
			shown = fmt.Sprint(v)
		}
	}()
	fmt.Print("\x00", shown, "\x00", failed, "\x00")
}

func main() {
%s}
`
