// Package cache keeps values in memory up to a limit.
package cache

import (
	"math"
	"slices"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Cache keeps values by key up to a limit; the value used longest ago goes first. It is
// safe for use by several goroutines.
type Cache[K comparable, V any] struct {
	Limit int         // of the sum of the sizes; fixed once made
	size  func(V) int // of a value

	mu     sync.Mutex // held for look-ups only, never while a value is made
	values *simplelru.LRU[K, sized[V]]
	making map[K]func() (V, error)
	total  int // of the sizes
}

// sized is a value with its size when it was last measured.
type sized[V any] struct {
	value V
	size  int
}

// New returns an empty cache. The limit bounds the sum of the sizes; a nil size counts
// values. dropped, if not nil, is called for every value that goes, with the cache locked.
func New[K comparable, V any](limit int, size func(V) int, dropped func(K, V)) *Cache[K, V] {
	if size == nil {
		size = func(V) int { return 1 }
	}
	c := &Cache[K, V]{Limit: limit, size: size, making: map[K]func() (V, error){}}
	values, err := simplelru.NewLRU(math.MaxInt, func(k K, v sized[V]) {
		c.total -= v.size
		if dropped != nil {
			dropped(k, v.value)
		}
	})
	if err != nil {
		panic("cache: " + err.Error()) // of a size below 1
	}
	c.values = values
	return c
}

// Get returns the value of a key, and marks it as used.
func (c *Cache[K, V]) Get(k K) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.values.Get(k)
	return s.value, ok
}

// Peek returns the value of a key, and does not mark it as used.
func (c *Cache[K, V]) Peek(k K) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.values.Peek(k)
	return s.value, ok
}

// Find returns the value used last of those that are wanted, and marks it as used.
func (c *Cache[K, V]) Find(wanted func(V) bool) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	keys, values := c.values.Keys(), c.values.Values()
	for i, s := range slices.Backward(values) {
		if wanted(s.value) {
			c.values.Get(keys[i])
			return s.value, true
		}
	}
	return v, false
}

// Take removes the value of a key if it is the wanted one, and returns it.
func (c *Cache[K, V]) Take(k K, wanted func(V) bool) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.values.Peek(k)
	if !ok || !wanted(s.value) {
		return v, false
	}
	c.values.Remove(k)
	return s.value, true
}

// Put keeps a value, which stays whatever its size, and drops others beyond the limit.
func (c *Cache[K, V]) Put(k K, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(k, v)
}

func (c *Cache[K, V]) add(k K, v V) {
	c.values.Remove(k)
	s := sized[V]{v, c.size(v)}
	c.values.Add(k, s)
	c.total += s.size
	c.shrink(c.Limit, 1)
}

func (c *Cache[K, V]) shrink(limit, stay int) {
	for c.total > limit && c.values.Len() > stay {
		c.values.RemoveOldest()
	}
}

// Trim measures all values again and drops those used longest ago until they are within a
// limit, or until so many are left.
func (c *Cache[K, V]) Trim(limit, stay int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	keys, all := c.values.Keys(), c.values.Values()
	c.total = 0
	for i, k := range keys { // the order of use stays
		all[i].size = c.size(all[i].value)
		c.values.Add(k, all[i])
		c.total += all[i].size
	}
	c.shrink(limit, stay)
}

// Drop removes the values for which gone is true.
func (c *Cache[K, V]) Drop(gone func(K) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.values.Keys() {
		if gone(k) {
			c.values.Remove(k)
		}
	}
}

// Values returns the values, the latest used last.
func (c *Cache[K, V]) Values() (out []V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.values.Values() {
		out = append(out, s.value)
	}
	return out
}

// Keys returns the keys, the latest used last.
func (c *Cache[K, V]) Keys() []K {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.values.Keys()
}

// Do returns the value of a key, or creates and adds it. Concurrent calls for the same key
// wait for one call of create and return its value or error. Errors are not stored.
func (c *Cache[K, V]) Do(k K, create func() (V, error)) (V, error) {
	return c.flight(k, create)()
}

func (c *Cache[K, V]) flight(k K, create func() (V, error)) func() (V, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.values.Get(k); ok {
		return func() (V, error) { return s.value, nil }
	}
	if f := c.making[k]; f != nil {
		return f
	}
	f := sync.OnceValues(func() (v V, err error) {
		made := false
		defer func() { // also when create panics
			c.mu.Lock()
			defer c.mu.Unlock()
			delete(c.making, k)
			if made && err == nil {
				c.add(k, v)
			}
		}()
		v, err = create()
		made = true
		return v, err
	})
	c.making[k] = f
	return f
}

// Busy reports whether a value is being made.
func (c *Cache[K, V]) Busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.making) > 0
}
