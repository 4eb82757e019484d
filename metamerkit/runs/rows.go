package runs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// Evaluations store rows in the run's folder, rows/<key>.<sha256>.csv. The key stands for all
// that the rows depend on. The name has the first 16 digits of the file's SHA-256.

var rowsForm = regexp.MustCompile(`^([0-9a-f]{16})\.([0-9a-f]{16})\.csv$`)

const rowsPatience = time.Minute

// ReadRows returns the rows stored in the run's folder dir under a key of 16 hexadecimal
// digits, and the path of their file. The error is fs.ErrNotExist if there are none and a
// *CorruptError if their checksum is wrong.
func ReadRows(dir, key string) (rows metamer.Rows, path string, err error) {
	var damaged error
	paths, err := filepath.Glob(filepath.Join(dir, "rows", key+".*.csv"))
	if err != nil {
		return nil, "", fmt.Errorf("runs: rows of the key %q: %w", key, err)
	}
	for _, p := range paths {
		rows, err := readRows(p)
		if err == nil {
			return rows, p, nil
		}
		damaged = errors.Join(damaged, err)
	}
	if path, err = fetchRows(dir, key); err == nil {
		rows, err = readRows(path)
		return rows, path, err
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, "", errors.Join(damaged, err)
	}
	if damaged != nil {
		return nil, "", damaged
	}
	return nil, "", fs.ErrNotExist
}

// readRows reads a file of rows and checks it against the SHA-256 in its name.
func readRows(path string) (metamer.Rows, error) {
	m := rowsForm.FindStringSubmatch(filepath.Base(path))
	if m == nil {
		return nil, &CorruptError{Dir: path, Problem: "its name is not that of stored rows"}
	}
	got, err := paths.Sum(path)
	if err != nil {
		return nil, fmt.Errorf("runs: %w", err)
	}
	if got[:16] != m[2] {
		return nil, &CorruptError{Dir: path, Problem: fmt.Sprintf("its SHA-256 begins with %s, expected %s", got[:16], m[2])}
	}
	return metamer.LoadRows(path)
}

// KeepRows stores rows in a run's folder under a key of 16 hexadecimal digits, and replaces
// rows of the same key.
func KeepRows(dir, key string, rows metamer.Rows) error {
	if !idForm.MatchString(key) {
		panic(fmt.Sprintf("runs: KeepRows with the key %q", key))
	}
	folder := filepath.Join(dir, "rows")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("runs: %w", err)
	}
	tmp := filepath.Join(folder, fmt.Sprintf(".%s.%016x.part", key, rand.Uint64()))
	defer os.Remove(tmp)
	if err := metamer.SaveRows(tmp, rows); err != nil {
		return err
	}
	got, err := paths.Sum(tmp)
	if err != nil {
		return fmt.Errorf("runs: %w", err)
	}
	path := filepath.Join(folder, key+"."+got[:16]+".csv")
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("runs: %w", err)
	}
	others, _ := filepath.Glob(filepath.Join(folder, key+".*.csv"))
	for _, o := range others {
		if o != path {
			os.Remove(o) // who cannot remove it finds two that are both right, or one damaged
		}
	}
	return sendRows(dir, filepath.Base(path))
}

// home returns the store of a run's folder and the run's ID, ok only where the store
// is in a bucket.
func home(dir string) (s *Store, id string, ok bool) {
	id = filepath.Base(dir)
	s, err := Locate(filepath.Dir(dir))
	return s, id, err == nil && s.URL != "" && idForm.MatchString(id)
}

func fetchRows(dir, key string) (path string, err error) {
	s, id, ok := home(dir)
	if !ok {
		return "", fs.ErrNotExist
	}
	ctx, cancel := context.WithTimeout(context.Background(), rowsPatience)
	defer cancel()
	b, err := s.bucket(ctx)
	if err != nil {
		return "", err
	}
	found, err := b.List(ctx, id+"/rows/"+key+".")
	if err != nil {
		return "", fmt.Errorf("runs: looking for rows in %s: %w", s.URL, err)
	}
	for _, o := range found {
		path := filepath.Join(dir, "rows", filepath.Base(o.Key))
		if !rowsForm.MatchString(filepath.Base(path)) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", fmt.Errorf("runs: %w", err)
		}
		if err := download(ctx, b, o.Key, path); err != nil {
			return "", fmt.Errorf("runs: reading rows in %s: %w", s.URL, err)
		}
		return path, nil
	}
	return "", fs.ErrNotExist
}

func sendRows(dir, name string) error {
	s, id, ok := home(dir)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), rowsPatience)
	defer cancel()
	b, err := s.bucket(ctx)
	if err != nil {
		return err
	}
	if err := putFile(ctx, b, id+"/rows/"+name, filepath.Join(dir, "rows", name), false); err != nil {
		return fmt.Errorf("runs: keeping rows in %s: %w", s.URL, err)
	}
	return nil
}
