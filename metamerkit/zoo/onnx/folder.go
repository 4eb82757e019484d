package onnx

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/gomlx/compute-onnx/support/protos"
)

// newFolder reads tensors that lie in files beside the one at path, as torch's exporter
// puts them. Names lead nowhere but into the folder: os.Root holds them, symbolic links
// included.
func newFolder(path string) reader {
	return func(p *protos.TensorProto, size int) ([]byte, error) {
		fields := map[string]string{}
		for _, e := range p.ExternalData {
			fields[e.GetKey()] = e.GetValue()
		}
		name := fields["location"]
		if p.DataLocation != protos.TensorProto_EXTERNAL || name == "" {
			return nil, fmt.Errorf("it lies in another file, but the file has no name")
		}
		number := func(key string, otherwise int64) (int64, error) {
			s, ok := fields[key]
			if !ok {
				return otherwise, nil
			}
			v, err := strconv.ParseInt(s, 10, 64)
			if err != nil || v < 0 {
				return 0, fmt.Errorf("its %s in the file %q is %q, expected a number", key, name, s)
			}
			return v, nil
		}
		offset, err := number("offset", 0)
		if err != nil {
			return nil, err
		}
		length, err := number("length", int64(size))
		if err != nil {
			return nil, err
		}
		if length != int64(size) {
			return nil, fmt.Errorf("it has %d bytes in the file %q, expected %d", length, name, size)
		}
		if !filepath.IsLocal(name) {
			return nil, fmt.Errorf("it lies in %q, which is not beside the model: export with external_data=False", name)
		}
		root, err := os.OpenRoot(filepath.Dir(path))
		if err != nil {
			return nil, err
		}
		defer root.Close()
		info, err := root.Stat(name)
		if err != nil {
			return nil, fmt.Errorf("it lies in the file %q beside the model, which cannot be read (%w): keep both files together, or export with external_data=False", name, err)
		}
		if !info.Mode().IsRegular() || offset > info.Size() || int64(size) > info.Size()-offset {
			return nil, fmt.Errorf("it lies at byte %d of the file %q, which has %d bytes: expected %d more", offset, name, info.Size(), size)
		}
		f, err := root.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		raw := make([]byte, size)
		if _, err := io.ReadFull(io.NewSectionReader(f, offset, int64(size)), raw); err != nil {
			return nil, fmt.Errorf("file %q: %w", name, err)
		}
		return raw, nil
	}
}
