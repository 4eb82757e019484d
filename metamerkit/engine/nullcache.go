package engine

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/synth"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// nullFiles keeps null distributions in a folder, one a file, for later processes. The
// name of a file is the hash of everything that its distribution depends on, and its
// content begins with a checksum. A file that is missing, damaged or of another version
// is computed again and replaced. A folder that cannot be written costs only that time.
type nullFiles struct {
	dir  string // "": none
	most int64  // bytes of all files; beyond it those used longest ago are removed
}

// nullFileFormat changes when the statistics of pairs or the form of files do.
const nullFileFormat = 1

// nullFilesIn is where programs keep null distributions.
func nullFilesIn() nullFiles { return nullFiles{filepath.Join(paths.Cache(), "nulls"), 256 << 20} }

// nullFileKey is everything that a null distribution depends on.
type nullFileKey struct {
	Format             int
	Program            string // which may compute a model otherwise than another one
	Net                zoo.Key
	Weights, Layer     string
	Null               string // SHA-256 of the images
	Size, Count, Batch int
	Backend            string
	Versions           map[string]string
	Memory             int64
}

// nullFileKey returns what the null distribution of a model at a layer is kept under on disk.
func (e *Engine) nullFileKey(s synth.TappedModel, set metamer.NullRef, size int) digest {
	return digestOf(nullFileKey{nullFileFormat, programStamp(), s.Net.Key, s.Net.SHA256, s.Layer, set.SHA256, size, set.Count, nullBatch, string(e.Backend.Kind), versions(e.Backend), nullMemory})
}

// programStamp tells this build of the program from others by its file.
var programStamp = sync.OnceValue(func() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	return fileStamp(path)
})

func (f nullFiles) path(key digest) string {
	return filepath.Join(f.dir, hex.EncodeToString(key[:16]))
}

// load returns the distribution that is kept under a key, nil if there is none or it is damaged.
func (f nullFiles) load(key digest, member string, set metamer.NullRef) *evaluate.Null {
	if f.dir == "" {
		return nil
	}
	path := f.path(key)
	data, err := os.ReadFile(path)
	if err != nil || len(data) != sha256.Size+3*8*set.Pairs {
		return nil
	}
	if sum := sha256.Sum256(append(key[:], data[sha256.Size:]...)); !bytes.Equal(sum[:], data[:sha256.Size]) {
		return nil
	}
	var values [3][]float64
	for i, rest := 0, data[sha256.Size:]; i < 3; i, rest = i+1, rest[8*set.Pairs:] {
		for k := range set.Pairs {
			values[i] = append(values[i], math.Float64frombits(binary.LittleEndian.Uint64(rest[8*k:])))
		}
	}
	now := time.Now()
	_ = os.Chtimes(path, now, now) // it was used
	return evaluate.NullOf(member, set, values)
}

// keep writes a distribution whole or not at all.
func (f nullFiles) keep(key digest, dist *evaluate.Null) error {
	if f.dir == "" {
		return nil
	}
	var data []byte
	for _, values := range dist.Values() {
		for _, v := range values {
			data = binary.LittleEndian.AppendUint64(data, math.Float64bits(v))
		}
	}
	if int64(len(data)) > f.most/4 {
		return nil
	}
	if err := os.MkdirAll(f.dir, 0o777); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	f.shrink(f.most - int64(len(data)))
	sum := sha256.Sum256(append(key[:], data...))
	return paths.WriteBytes(f.path(key), append(sum[:], data...))
}

// shrink removes files until the rest takes so many bytes at most. Files with a dot are
// being written, unless they are a day old.
func (f nullFiles) shrink(most int64) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return
	}
	var files []os.FileInfo
	total := int64(0)
	for _, e := range entries {
		if st, err := e.Info(); err == nil && st.Mode().IsRegular() && (e.Name()[0] != '.' || time.Since(st.ModTime()) > 24*time.Hour) {
			files = append(files, st)
			total += st.Size()
		}
	}
	slices.SortFunc(files, func(a, b os.FileInfo) int {
		return cmp.Or(a.ModTime().Compare(b.ModTime()), cmp.Compare(a.Name(), b.Name()))
	})
	for _, st := range files {
		if total <= most {
			return
		}
		if os.Remove(filepath.Join(f.dir, st.Name())) == nil {
			total -= st.Size()
		}
	}
}
