package engine

import (
	"fmt"
	"slices"
	"strings"
)

// build is something that is being compiled; v and err are there when done is closed.
type build struct {
	done chan struct{}
	v    any
	err  error
}

// kept returns what compile gives, from the cache if it is there. The engine is free for
// others meanwhile; what one of them asks for while it is being compiled it waits for.
func kept[T any](e *Engine, compile func() (T, error), key ...any) (T, error) {
	k := strings.TrimSpace(fmt.Sprintln(key...))
	for e.compiled[k] == nil && e.building[k] != nil {
		b := e.building[k]
		e.mu.Unlock()
		<-b.done
		e.mu.Lock()
		if b.err == nil { // it may be gone from the cache already
			return b.v.(T), nil
		}
	}
	if v := e.compiled[k]; v != nil {
		e.order = append(slices.DeleteFunc(e.order, func(o string) bool { return o == k }), k)
		return v.(T), nil
	}
	b := &build{done: make(chan struct{}), err: fmt.Errorf("engine: compiling %s failed", k)}
	e.building[k] = b
	var v T
	func() {
		e.mu.Unlock()
		defer func() {
			e.mu.Lock()
			delete(e.building, k)
			close(b.done)
		}()
		v, b.err = compile()
		b.v = v
	}()
	if b.err != nil {
		return v, b.err
	}
	if len(e.order) >= maxCompiled {
		delete(e.compiled, e.order[0])
		e.order = e.order[1:]
	}
	e.compiled[k], e.order = v, append(e.order, k)
	e.evict() // compiling derives weights, which count
	return v, nil
}
