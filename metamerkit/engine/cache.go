package engine

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// cache keeps values by key up to a limit; the value used longest ago goes first. It is
// safe for use by several goroutines.
type cache[K comparable, V any] struct {
	limit int
	size  func(V) int // of a value, in the limit's unit

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

// newCache returns an empty cache. A nil size counts values. dropped, if not nil, is called
// for every value that goes, with the cache locked.
func newCache[K comparable, V any](limit int, size func(V) int, dropped func(K, V)) *cache[K, V] {
	if size == nil {
		size = func(V) int { return 1 }
	}
	c := &cache[K, V]{limit: limit, size: size, making: map[K]func() (V, error){}}
	values, err := simplelru.NewLRU(math.MaxInt, func(k K, v sized[V]) {
		c.total -= v.size
		if dropped != nil {
			dropped(k, v.value)
		}
	})
	if err != nil {
		panic("engine: " + err.Error()) // of a size below 1
	}
	c.values = values
	return c
}

// get returns the value of a key, and marks it as used.
func (c *cache[K, V]) get(k K) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.values.Get(k)
	return s.value, ok
}

// peek returns the value of a key, and does not mark it as used.
func (c *cache[K, V]) peek(k K) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.values.Peek(k)
	return s.value, ok
}

// take removes the value of a key if it is the wanted one, and returns it.
func (c *cache[K, V]) take(k K, wanted func(V) bool) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.values.Peek(k)
	if !ok || !wanted(s.value) {
		return v, false
	}
	c.values.Remove(k)
	return s.value, true
}

// put keeps a value, which stays whatever its size, and drops others beyond the limit.
func (c *cache[K, V]) put(k K, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(k, v)
}

func (c *cache[K, V]) add(k K, v V) {
	c.values.Remove(k)
	s := sized[V]{v, c.size(v)}
	c.values.Add(k, s)
	c.total += s.size
	c.shrink(c.limit, 1)
}

func (c *cache[K, V]) shrink(limit, stay int) {
	for c.total > limit && c.values.Len() > stay {
		c.values.RemoveOldest()
	}
}

// trim measures all values again and drops those used longest ago until they are within a
// limit, or until so many are left.
func (c *cache[K, V]) trim(limit, stay int) {
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

// drop removes the values for which gone is true.
func (c *cache[K, V]) drop(gone func(K) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.values.Keys() {
		if gone(k) {
			c.values.Remove(k)
		}
	}
}

// all returns the values, the latest used last.
func (c *cache[K, V]) all() (out []V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.values.Values() {
		out = append(out, s.value)
	}
	return out
}

// keys returns the keys, the latest used last.
func (c *cache[K, V]) keys() []K {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.values.Keys()
}

// do returns the value of a key. Where there is none it makes and keeps one; whoever asks
// for it meanwhile waits for the same value, or for the same error, which is not kept.
func (c *cache[K, V]) do(k K, create func() (V, error)) (V, error) {
	return c.flight(k, create)()
}

func (c *cache[K, V]) flight(k K, create func() (V, error)) func() (V, error) {
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

// busy reports whether a value is being made.
func (c *cache[K, V]) busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.making) > 0
}

// digest is the SHA-256 of values, for keys.
type digest [sha256.Size]byte

func digestOf(values ...any) digest {
	text, err := json.Marshal(values)
	if err != nil {
		panic(fmt.Sprintf("engine: a key of %v: %v", values, err)) // of NaN, which no validated setting is
	}
	return sha256.Sum256(text)
}
