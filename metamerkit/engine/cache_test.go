package engine

import (
	"errors"
	"slices"
	"sync"
	"testing"
)

// What several ask for is made once, while others use the cache; an error is not kept.
func TestCacheOnce(t *testing.T) {
	c := newCache[string, *int](10, nil, nil)
	began, goOn := make(chan struct{}), make(chan struct{})
	times := 0
	var all sync.WaitGroup
	got := make([]*int, 3)
	ask := func(i int) {
		var err error
		if got[i], err = c.do("a", func() (*int, error) {
			times++
			close(began)
			<-goOn
			return new(int), nil
		}); err != nil {
			t.Error(err)
		}
	}
	all.Go(func() { ask(0) })
	<-began
	if v, err := c.do("b", func() (*int, error) { return nil, errors.New("no") }); v != nil || err == nil {
		t.Error("an error is lost")
	}
	if v, err := c.do("b", func() (*int, error) { return new(int), nil }); v == nil || err != nil {
		t.Error("what failed once fails for ever", err)
	}
	if !c.busy() {
		t.Error("nothing is being made")
	}
	all.Go(func() { ask(1) })
	all.Go(func() { ask(2) })
	close(goOn)
	all.Wait()
	if times != 1 || got[0] == nil || got[1] != got[0] || got[2] != got[0] || c.busy() || !slices.Contains(c.keys(), "a") {
		t.Errorf("made %d times, %v", times, got)
	}
	func() {
		defer func() { _ = recover() }()
		_, _ = c.do("c", func() (*int, error) { panic("x") })
	}()
	if _, ok := c.get("c"); ok || c.busy() {
		t.Error("what panicked is being made for ever")
	}
}

// Values go in the order of their use when they are too many; the last one stays whatever
// its size, and sizes may change.
func TestCacheBounded(t *testing.T) {
	var gone []string
	c := newCache(100, func(v *int) int { return *v }, func(k string, _ *int) { gone = append(gone, k) })
	size := func(n int) *int { return &n }
	a := size(34)
	c.put("a", a)
	c.put("b", size(34))
	c.get("a")
	c.put("c", size(34))
	if !slices.Equal(c.keys(), []string{"a", "c"}) || !slices.Equal(gone, []string{"b"}) || c.total != 68 {
		t.Errorf("%v of %d, without %v", c.keys(), c.total, gone)
	}
	*a = 90 // grows
	c.get("a")
	c.trim(100, 1)
	if !slices.Equal(c.keys(), []string{"a"}) || c.total != 90 {
		t.Errorf("%v of %d", c.keys(), c.total)
	}
	c.put("d", size(1000))
	if !slices.Equal(c.keys(), []string{"d"}) {
		t.Errorf("the last value does not stay: %v", c.keys())
	}
	if c.trim(1, 0); len(c.all()) != 0 || c.total != 0 {
		t.Errorf("%v is left where there is no room", c.keys())
	}
	c.put("e", size(1))
	if _, ok := c.take("e", func(v *int) bool { return *v == 2 }); ok {
		t.Error("a value that is not wanted is taken")
	}
	if v, ok := c.take("e", func(v *int) bool { return *v == 1 }); !ok || *v != 1 || len(c.all()) != 0 {
		t.Error("a value is not taken")
	}
}
