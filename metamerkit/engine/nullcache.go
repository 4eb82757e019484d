package engine

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"sync"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/filecache"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/synth"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// nullFileFormat changes when the statistics of pairs or the form of files do.
const nullFileFormat = 1

// nullFilesIn is where programs keep null distributions.
func nullFilesIn() filecache.Cache {
	return filecache.Cache{Dir: filepath.Join(paths.Cache(), "nulls"), Most: 256 << 20}
}

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

// loadNull returns the distribution that is kept under a key, nil if there is none.
func loadNull(files filecache.Cache, key digest, member string, set metamer.NullRef) *evaluate.Null {
	data := files.Load(filecache.Key(key))
	if data == nil || len(data) != 3*8*set.Pairs {
		return nil
	}
	var values [3][]float64
	for i := range values {
		for k := range set.Pairs {
			values[i] = append(values[i], math.Float64frombits(binary.LittleEndian.Uint64(data[8*(i*set.Pairs+k):])))
		}
	}
	return evaluate.NullOf(member, set, values)
}

// cacheNull stores a distribution for later processes.
func cacheNull(files filecache.Cache, key digest, dist *evaluate.Null) error {
	var data []byte
	for _, values := range dist.Values() {
		for _, v := range values {
			data = binary.LittleEndian.AppendUint64(data, math.Float64bits(v))
		}
	}
	return files.Keep(filecache.Key(key), data)
}
