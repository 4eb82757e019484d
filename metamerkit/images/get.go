package images

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/ensemble-metamers/metamers/metamerkit/fetch"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// Archive describes a data set that can be downloaded as one tar.gz with one folder.
type Archive struct {
	Name    string
	Request fetch.Request
	Folder  string           // inside the archive, and then in the cache's data folder
	Files   map[string]int64 // names and sizes that must be in the folder; others are left out
}

// CIFAR10 describes the official binary version of CIFAR-10 (Krizhevsky 2009). The MD5 is
// that of its web page; the SHA-256 of the same file is the one that TensorFlow Datasets
// pins.
func CIFAR10() Archive {
	a := Archive{
		Name:   "cifar10",
		Folder: "cifar-10-batches-bin",
		Request: fetch.Request{
			URL:    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
			MD5:    "c32a1d4ab5d03f1284b67883e8d87530",
			SHA256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
			Size:   170052171,
		},
		Files: map[string]int64{"test_batch.bin": 10000 * record},
	}
	for i := range 5 {
		a.Files[fmt.Sprintf("data_batch_%d.bin", i+1)] = 10000 * record
	}
	return a
}

// Get downloads and unpacks an archive into the data folder of the cache, where Open finds
// it, and returns the folder. The second result reports whether the folder existed, in
// which case nothing is downloaded. The function progress, if not nil, is called with
// bytes. The folder appears complete or not at all.
func (a Archive) Get(ctx context.Context, progress func(done, total int64)) (dir string, stored bool, err error) {
	data := filepath.Join(paths.Cache(), "data")
	dir = filepath.Join(data, a.Folder)
	if err := os.MkdirAll(data, 0o777); err != nil {
		return "", false, fmt.Errorf("images: %w", err)
	}
	l := flock.New(filepath.Join(data, a.Name+".lock"), flock.SetPermissions(0o666))
	if _, err := l.TryLockContext(ctx, 200_000_000); err != nil {
		return "", false, fmt.Errorf("images: waiting for another download of %s: %w", a.Name, err)
	}
	defer l.Close()
	if problem := a.missing(dir); problem == nil {
		return dir, true, nil
	} else if _, err := os.Stat(dir); err == nil {
		return "", false, fmt.Errorf("images: %s exists but is incomplete (%w); remove it to download it again", dir, problem)
	}
	file := filepath.Join(data, path.Base(a.Request.URL))
	a.Request.Progress = progress
	if _, err := fetch.File(ctx, file, a.Request); err != nil {
		return "", false, fmt.Errorf("images: %s: %w", a.Name, err)
	}
	if err := a.unpack(file, dir); err != nil {
		return "", false, fmt.Errorf("images: unpacking %s: %w", file, err)
	}
	return dir, false, os.Remove(file)
}

// missing says which file is not in dir or has another size.
func (a Archive) missing(dir string) error {
	for name, size := range a.Files {
		s, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if s.Size() != size {
			return fmt.Errorf("%s has %d bytes, expected %d", name, s.Size(), size)
		}
	}
	return nil
}

// unpack writes the wanted files to a temporary folder and renames it to dir.
func (a Archive) unpack(file, dir string) (err error) {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	temporary, err := os.MkdirTemp(filepath.Dir(dir), "."+a.Folder+".*.part")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temporary)) }()
	if err := os.Chmod(temporary, 0o755); err != nil {
		return err
	}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if !filepath.IsLocal(h.Name) {
			return fmt.Errorf("the archive names the path %q outside its folder", h.Name)
		}
		size, wanted := a.Files[path.Base(h.Name)]
		if h.Typeflag != tar.TypeReg || path.Dir(path.Clean(h.Name)) != a.Folder || !wanted {
			continue
		}
		if h.Size != size {
			return fmt.Errorf("%s has %d bytes, expected %d", h.Name, h.Size, size)
		}
		if err := extract(filepath.Join(temporary, path.Base(h.Name)), t, size); err != nil {
			return err
		}
	}
	if err := a.missing(temporary); err != nil {
		return err
	}
	return os.Rename(temporary, dir)
}

func extract(to string, r io.Reader, size int64) error {
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, r, size)
	return errors.Join(err, f.Sync(), f.Close())
}
