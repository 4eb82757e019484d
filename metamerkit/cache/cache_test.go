package cache

import (
	"errors"
	"slices"
	"sync"
	"testing"
)

// What several ask for is made once, while others use the cache; an error is not kept.
func TestCacheOnce(t *testing.T) {
	c := New[string, *int](10, nil, nil)
	began, goOn := make(chan struct{}), make(chan struct{})
	times := 0
	var all sync.WaitGroup
	got := make([]*int, 3)
	ask := func(i int) {
		var err error
		if got[i], err = c.Do("a", func() (*int, error) {
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
	if v, err := c.Do("b", func() (*int, error) { return nil, errors.New("no") }); v != nil || err == nil {
		t.Error("an error is lost")
	}
	if v, err := c.Do("b", func() (*int, error) { return new(int), nil }); v == nil || err != nil {
		t.Error("what failed once fails for ever", err)
	}
	if !c.Busy() {
		t.Error("nothing is being made")
	}
	all.Go(func() { ask(1) })
	all.Go(func() { ask(2) })
	close(goOn)
	all.Wait()
	if times != 1 || got[0] == nil || got[1] != got[0] || got[2] != got[0] || c.Busy() || !slices.Contains(c.Keys(), "a") {
		t.Errorf("made %d times, %v", times, got)
	}
	func() {
		defer func() { _ = recover() }()
		_, _ = c.Do("c", func() (*int, error) { panic("x") })
	}()
	if _, ok := c.Get("c"); ok || c.Busy() {
		t.Error("what panicked is being made for ever")
	}
}

// Values go in the order of their use when they are too many; the last one stays whatever
// its size, and sizes may change.
func TestCacheBounded(t *testing.T) {
	var gone []string
	c := New(100, func(v *int) int { return *v }, func(k string, _ *int) { gone = append(gone, k) })
	size := func(n int) *int { return &n }
	a := size(34)
	c.Put("a", a)
	c.Put("b", size(34))
	c.Get("a")
	c.Put("c", size(34))
	if !slices.Equal(c.Keys(), []string{"a", "c"}) || !slices.Equal(gone, []string{"b"}) || c.total != 68 {
		t.Errorf("%v of %d, without %v", c.Keys(), c.total, gone)
	}
	*a = 90 // grows
	c.Get("a")
	c.Trim(100, 1)
	if !slices.Equal(c.Keys(), []string{"a"}) || c.total != 90 {
		t.Errorf("%v of %d", c.Keys(), c.total)
	}
	c.Put("d", size(1000))
	if !slices.Equal(c.Keys(), []string{"d"}) {
		t.Errorf("the last value does not stay: %v", c.Keys())
	}
	if c.Trim(1, 0); len(c.Values()) != 0 || c.total != 0 {
		t.Errorf("%v is left where there is no room", c.Keys())
	}
	c.Put("e", size(1))
	if _, ok := c.Take("e", func(v *int) bool { return *v == 2 }); ok {
		t.Error("a value that is not wanted is taken")
	}
	if v, ok := c.Take("e", func(v *int) bool { return *v == 1 }); !ok || *v != 1 || len(c.Values()) != 0 {
		t.Error("a value is not taken")
	}
}
