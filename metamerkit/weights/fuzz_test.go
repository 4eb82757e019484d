package weights

import (
	"math"
	"os"
	"path/filepath"
	"testing"
)

// sound fails unless data is read into tensors whose shapes fit, or refused with a
// *FormatError, and either within memory in proportion to the data.
func sound(t *testing.T, data []byte) {
	var file *File
	var err error
	used := allocated(func() { file, err = Parse("fuzz", data) })
	if limit := uint64(4<<20 + 400*len(data)); used > limit {
		t.Errorf("%d bytes are allocated for %d, at most %d are expected", used, len(data), limit)
	}
	if err != nil {
		formatError(t, "fuzz", err)
		return
	}
	for name, x := range file.Tensors {
		if !readable(x.DType) {
			continue
		}
		if n, err := elements(x.Shape, math.MaxInt); err != nil || n != len(x.Float)+len(x.Int) || x.Name != name || (x.Float == nil) == (x.Int == nil) {
			t.Errorf("tensor %q is %q of shape %v with %d floats and %d integers (%v)", name, x.Name, x.Shape, len(x.Float), len(x.Int), err)
		}
	}
}

func seed(f *testing.F, pattern string) {
	paths, err := filepath.Glob(filepath.Join(golden, pattern))
	if err != nil || len(paths) == 0 {
		f.Fatalf("no %s in %s (%v)", pattern, golden, err)
	}
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
}

// FuzzPyTorch takes files as they are, and the data as the pickle of either format,
// so that the fuzzer need not find checksums and offsets first.
func FuzzPyTorch(f *testing.F) {
	seed(f, "*.p*t*")
	seed(f, "*.th")
	f.Add([]byte("\x80\x02cposix\nsystem\n."))
	f.Add([]byte(statePickle(tensorPickle(storagePickle("FloatStorage", 4), 0, tuple(2, 2), tuple(2, 1)))))
	f.Add([]byte("\x80\x02]q\x00h\x00ah\x00\x85Q."))
	f.Fuzz(func(t *testing.T, data []byte) {
		sound(t, data)
		sound(t, []byte(asZip(string(data))))
		sound(t, []byte(asLegacy(string(data))))
	})
}

// FuzzSafetensors takes files as they are, and the data as header before 16 bytes.
func FuzzSafetensors(f *testing.F) {
	seed(f, "*.safetensors")
	f.Add([]byte(`{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}`))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\x7f{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		sound(t, data)
		sound(t, []byte(safetensors(string(data), "0123456789abcdef")))
	})
}
