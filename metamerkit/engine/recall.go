package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/cache"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// What is kept in memory of runs' folders, in bytes.
const (
	maxRunBytes = 112 << 20
	maxRowBytes = 16 << 20
)

// stamped is what was read from files and found whole, so that it is read and checked once
// as long as size and time of the files stay: a study whose runs and rows are stored is
// answered in a few milliseconds.
type stamped[T any] struct {
	value T
	path  string // of the file
	stamp string // of the files
	size  int
}

func (s stamped[T]) bytes() int { return s.size }

// recall returns what is kept under a key if its files are as they were then.
func recall[K comparable, T any](c *cache.Cache[K, stamped[T]], k K, stamp func(path string) string) (v T, ok bool) {
	s, ok := c.Get(k)
	if !ok {
		return v, false
	}
	if now := stamp(s.path); now == "" || now != s.stamp {
		c.Drop(func(o K) bool { return o == k })
		return v, false
	}
	return s.value, true
}

// keep puts a value into a cache unless it is larger than all of it, or its files could not
// be read.
func keep[K comparable, T any](c *cache.Cache[K, stamped[T]], k K, s stamped[T]) {
	if s.stamp != "" && s.size <= c.Limit {
		c.Put(k, s)
	}
}

// fileStamp tells a file from itself after a change; "" where it cannot be read.
func fileStamp(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s %d %d\n", path, info.Size(), info.ModTime().UnixNano())
}

// folderStamp is over the files of a folder, not those of folders in it.
func folderStamp(dir string) string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ""
	}
	var b strings.Builder
	for _, e := range entries {
		if !e.IsDir() {
			b.WriteString(fileStamp(filepath.Join(dir, e.Name())))
		}
	}
	return b.String()
}

// there is the store's There. Runs of object stores are asked for each time, since they
// may be missing there.
func (e *Engine) there(ctx context.Context, st *runs.Store, id string) (*metamer.Run, error) {
	dir := filepath.Join(st.Dir, id)
	if st.URL == "" {
		if run, ok := recall(e.runs, dir, folderStamp); ok {
			own := *run
			return &own, nil
		}
	}
	before := folderStamp(dir)
	run, err := st.Stored(ctx, id)
	if err == nil && st.URL == "" {
		kept := *run
		keep(e.runs, dir, stamped[*metamer.Run]{&kept, dir, before, 4*(len(run.Metamers)+len(run.Start)) + 1<<14})
	}
	return run, err
}

// loadRows is runs.ReadRows; the rows are the caller's own.
func (e *Engine) loadRows(at rowPlace) (metamer.Rows, error) {
	if rows, ok := recall(e.rows, at, fileStamp); ok {
		return slices.Clone(rows), nil
	}
	rows, path, err := runs.ReadRows(at.dir, at.key)
	if err == nil {
		const each = 300 // bytes, about
		keep(e.rows, at, stamped[metamer.Rows]{slices.Clone(rows), path, fileStamp(path), each*len(rows) + 1<<10})
	}
	return rows, err
}
