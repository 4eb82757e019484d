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

// Limits of what the engine caches in memory of runs' folders, in bytes.
const (
	maxRunBytes = 112 << 20
	maxRowBytes = 16 << 20
)

// A fileValue was read from files and checked. It is valid as long as the sizes and times of
// the files stay the same. With it a study whose runs and rows are stored is answered in a
// few milliseconds.
type fileValue[T any] struct {
	value T
	path  string // of the file
	stamp string // of the files
	size  int
}

func (s fileValue[T]) bytes() int { return s.size }

// fromCache returns the cached value of a key if its files have not changed since.
func fromCache[K comparable, T any](c *cache.Cache[K, fileValue[T]], k K, stamp func(path string) string) (v T, ok bool) {
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

// cacheFile puts a value into a cache unless it is larger than the limit of the cache, or its
// files could not be read.
func cacheFile[K comparable, T any](c *cache.Cache[K, fileValue[T]], k K, s fileValue[T]) {
	if s.stamp != "" && s.size <= c.Limit {
		c.Put(k, s)
	}
}

// fileStamp is the path, size and time of a file; "" if it cannot be read.
func fileStamp(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s %d %d\n", path, info.Size(), info.ModTime().UnixNano())
}

// folderStamp joins the stamps of the files in a folder, without those of its subfolders.
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

// storedRun is Store.Stored with a cache. Object stores are always asked, since another
// machine may have removed the run.
func (e *Engine) storedRun(ctx context.Context, st *runs.Store, id string) (*metamer.Run, error) {
	dir := filepath.Join(st.Dir, id)
	if st.URL == "" {
		if run, ok := fromCache(e.runs, dir, folderStamp); ok {
			own := *run
			return &own, nil
		}
	}
	before := folderStamp(dir)
	run, err := st.Stored(ctx, id)
	if err == nil && st.URL == "" {
		kept := *run
		cacheFile(e.runs, dir, fileValue[*metamer.Run]{&kept, dir, before, 4*(len(run.Metamers)+len(run.Start)) + 1<<14})
	}
	return run, err
}

// loadRows is runs.ReadRows; the rows are the caller's own.
func (e *Engine) loadRows(at rowFile) (metamer.Rows, error) {
	if rows, ok := fromCache(e.rows, at, fileStamp); ok {
		return slices.Clone(rows), nil
	}
	rows, path, err := runs.ReadRows(at.dir, at.key)
	if err == nil {
		const each = 300 // bytes, about
		cacheFile(e.rows, at, fileValue[metamer.Rows]{slices.Clone(rows), path, fileStamp(path), each*len(rows) + 1<<10})
	}
	return rows, err
}
