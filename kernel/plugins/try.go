package plugins

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/ensemble-metamers/metamers/kernel/state"
)

// tries are two cells by which a library is tried: what the second finds in the first, a
// panic that it recovers from, a goroutine and the garbage collector depend on what linkers
// may do wrong.
var tries = [2]string{`package one

import "fmt"

type Point struct{ X, Y int }

func (p Point) String() string { return fmt.Sprint(p.X, "/", p.Y) }

var Kept = map[string]any{}

func MRun() {
	Kept["points"] = []Point{{1, 2}, {3, 4}}
	Kept["map"] = map[string][]float64{"a": {1, 2}}
	Kept["function"] = func(n int) any { return []int{n}[n] }
}
`, `package two

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strings"

	"cells/try1"
)

func MRun() {
	said := make(chan string)
	go func() {
		var s fmt.Stringer = one.Kept["points"].([]one.Point)[1]
		said <- s.String() + fmt.Sprint(one.Kept["map"].(map[string][]float64), reflect.TypeFor[map[string][]float64]() == reflect.TypeOf(one.Kept["map"]))
	}()
	runtime.GC()
	got := <-said
	func() {
		defer func() {
			err, _ := recover().(runtime.Error)
			_, err2 := os.Open("/no such file")
			got += fmt.Sprint(" ", err, " ", errors.Is(err2, os.ErrNotExist))
		}()
		one.Kept["function"].(func(int) any)(1)
	}()
	if want := "3/4map[a:[1 2]] true runtime error: index out of range [1] with length 1 true"; strings.TrimSpace(got) != want {
		panic("the try printed " + got + " in the place of " + want)
	}
}
`}

const tryRest = `
func MDefine() {}

func MDefined() []bool { return nil }

func MPointers() []any { return nil }
`

// enough is how long a process may take for them on a busy machine.
const enough = time.Minute

// try has a process with the library of b.lib run two cells. The lock is held.
func (b *Builder) try(dir string, packages map[string]string) error {
	host := filepath.Join(dir, "host")
	if err := b.linkHost(host, packages); err != nil {
		return fmt.Errorf("linking a process with it: %w", err)
	}
	exports, cells := b.exports, b.cells
	defer func() { b.exports, b.cells = exports, cells }()
	b.exports, b.cells = packages, map[string]string{}
	args := []string{"try"}
	for i, source := range tries {
		name := fmt.Sprint("try", i+1)
		file := filepath.Join(dir, name+".so")
		source = strings.ReplaceAll(source+tryRest, "func M", "func "+state.Mark)
		if err := b.build(filepath.Join(dir, name), "cells/"+name, source, file); err != nil {
			return err
		}
		args = append(args, file)
	}
	before := b.ctx
	defer func() { b.ctx = before }()
	parent := before
	if parent == nil {
		parent = context.Background()
	}
	ctx, cancel := context.WithTimeout(parent, enough)
	defer cancel()
	b.ctx = ctx
	_, err := b.output(b.command(host, args...))
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("cells that are linked against the shared library do not end within %v", enough)
	case err != nil:
		return fmt.Errorf("cells that are linked against the shared library fail: %w", err)
	}
	return nil
}
