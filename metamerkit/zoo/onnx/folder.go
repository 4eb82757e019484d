package onnx

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/gomlx/compute-onnx/support/protos"
)

// folder reads tensors that lie in files beside a model, as torch's exporter puts them.
// Names lead nowhere but into the folder: os.Root holds them, symbolic links included.
type folder struct {
	path  string // of the model
	files map[string][]byte
	total int64 // bytes of them
}

// readAll reads all files that a model refers to.
func (f *folder) readAll(m *protos.ModelProto) error {
	for _, name := range outside(m) {
		if _, err := f.file(name); err != nil {
			return err
		}
	}
	return nil
}

// sum is the SHA-256 of the model, see Sum.
func (f *folder) sum(own string) string {
	sums := map[string]string{}
	for name, data := range f.files {
		sums[name] = fmt.Sprintf("%x", sha256.Sum256(data))
	}
	return combined(own, sums)
}

// tensor returns the bytes of a tensor, which has size of them.
func (f *folder) tensor(p *protos.TensorProto, size int) ([]byte, error) {
	fields := map[string]string{}
	for _, e := range p.ExternalData {
		fields[e.GetKey()] = e.GetValue()
	}
	name := fields["location"]
	if p.DataLocation != protos.TensorProto_EXTERNAL || name == "" {
		return nil, fmt.Errorf("it lies in another file, but the file has no name")
	}
	at := map[string]int64{"offset": 0, "length": int64(size)}
	for key := range at {
		if s, ok := fields[key]; ok {
			v, err := strconv.ParseInt(s, 10, 64)
			if err != nil || v < 0 {
				return nil, fmt.Errorf("its %s in the file %q is %q, expected a number", key, name, s)
			}
			at[key] = v
		}
	}
	if at["length"] != int64(size) {
		return nil, fmt.Errorf("it has %d bytes in the file %q, expected %d", at["length"], name, size)
	}
	data, err := f.file(name)
	if err != nil {
		return nil, err
	}
	if n := int64(len(data)); at["offset"] > n || int64(size) > n-at["offset"] {
		return nil, fmt.Errorf("it needs %d bytes of the file %q, up to byte %d; the file has %d: export again, or copy the whole file", size, name, at["offset"]+int64(size), n)
	}
	return data[at["offset"]:][:size], nil
}

// file reads a file beside the model, once.
func (f *folder) file(name string) ([]byte, error) {
	if data, ok := f.files[name]; ok {
		return data, nil
	}
	if !filepath.IsLocal(name) {
		return nil, fmt.Errorf("a tensor is in the file %q, which is not in the model's folder: export with external_data=False", name)
	}
	root, err := os.OpenRoot(filepath.Dir(f.path))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(name)
	if err != nil {
		if p := (*fs.PathError)(nil); errors.As(err, &p) {
			err = p.Err // without the name of a system call
		}
		return nil, fmt.Errorf("a tensor is in the file %q in the model's folder, which cannot be read (%w): keep both files together, or export with external_data=False", name, err)
	}
	if f.total += info.Size(); !info.Mode().IsRegular() || f.total > maxBytes {
		return nil, fmt.Errorf("a tensor lies in %q, expected regular files of at most %d bytes together", name, maxBytes)
	}
	h, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(h, data); err != nil {
		return nil, fmt.Errorf("file %q: %w", name, err)
	}
	if f.files == nil {
		f.files = map[string][]byte{}
	}
	f.files[name] = data
	return data, nil
}
