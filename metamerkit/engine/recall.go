package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// maxRecalled bounds, in bytes, what is kept of files in memory.
const maxRecalled = 128 << 20

// recall keeps what was read from runs' folders and found whole, so that it is read and
// checked once as long as size and time of the files stay: a study of which everything
// is there is answered in a few milliseconds. The one used longest ago goes first.
type recall struct {
	mu      sync.Mutex
	entries map[string]*recalled
	order   []string // the latest used last
	bytes   int
}

type recalled struct {
	stamp string // of the files
	value any
	bytes int
}

// get returns what is kept under a key if its files are as they were then.
func (m *recall) get(key string, stamp func(value any) string) any {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.entries[key]
	if r == nil {
		return nil
	}
	if now := stamp(r.value); now == "" || now != r.stamp {
		m.drop(key)
		return nil
	}
	i := slices.Index(m.order, key)
	m.order = append(slices.Delete(m.order, i, i+1), key)
	return r.value
}

func (m *recall) put(key, stamp string, value any, bytes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if stamp == "" || bytes > maxRecalled {
		return
	}
	if m.entries == nil {
		m.entries = map[string]*recalled{}
	}
	m.drop(key)
	m.entries[key] = &recalled{stamp, value, bytes}
	m.order, m.bytes = append(m.order, key), m.bytes+bytes
	for m.bytes > maxRecalled {
		m.drop(m.order[0])
	}
}

// drop forgets a key; the lock is held.
func (m *recall) drop(key string) {
	r := m.entries[key]
	if r == nil {
		return
	}
	delete(m.entries, key)
	i := slices.Index(m.order, key)
	m.order, m.bytes = slices.Delete(m.order, i, i+1), m.bytes-r.bytes
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
	stamp := func(any) string { return folderStamp(dir) }
	if st.URL == "" {
		if v := e.files.get(dir, stamp); v != nil {
			run := *v.(*metamer.Run)
			return &run, nil
		}
	}
	before := folderStamp(dir)
	run, err := st.There(ctx, id)
	if err == nil && st.URL == "" {
		kept := *run
		e.files.put(dir, before, &kept, 4*(len(run.Metamers)+len(run.Start))+1<<14)
	}
	return run, err
}

// keptFile are rows and the file that they are from.
type keptFile struct {
	path string
	rows metamer.Rows
}

// loadRows is runs.LoadRows; the rows are the caller's own.
func (e *Engine) loadRows(dir, key string) (metamer.Rows, error) {
	name := filepath.Join(dir, "rows", key)
	if v := e.files.get(name, func(v any) string { return fileStamp(v.(keptFile).path) }); v != nil {
		return slices.Clone(v.(keptFile).rows), nil
	}
	rows, path, err := runs.ReadRows(dir, key)
	if err == nil {
		const each = 300 // bytes, about
		e.files.put(name, fileStamp(path), keptFile{path, slices.Clone(rows)}, each*len(rows)+1<<10)
	}
	return rows, err
}
