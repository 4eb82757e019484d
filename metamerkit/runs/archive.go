package runs

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// Archive is an RO-Crate of runs, as Export writes it.
type Archive struct {
	Path string
	z    *zip.Reader
	file io.Closer
	ids  []string
	sums map[string]string // of the files, as ro-crate-metadata.json has them
}

// OpenArchive opens an archive and reads its metadata. Verify checks the contents.
func OpenArchive(path string) (*Archive, error) {
	f, err := paths.Open(path)
	if err != nil {
		return nil, fmt.Errorf("runs: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("runs: %w", err)
	}
	a, err := newArchive(path, f, info.Size())
	if err != nil {
		f.Close()
		return nil, err
	}
	a.file = f
	return a, nil
}

func newArchive(path string, r io.ReaderAt, size int64) (*Archive, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("runs: %w", archiveError(path, err))
	}
	a := &Archive{Path: path, z: z}
	return a, a.index()
}

// Close closes the file.
func (a *Archive) Close() error { return a.file.Close() }

// IDs returns the IDs of the archive's runs, in its order.
func (a *Archive) IDs() []string { return slices.Clone(a.ids) }

const mostMetadata = 64 << 20 // bytes of ro-crate-metadata.json

func (a *Archive) index() error {
	bad := func(format string, args ...any) error {
		return &CorruptError{Dir: a.Path, Problem: fmt.Sprintf(format, args...)}
	}
	f, err := a.z.Open(crateName)
	if err != nil {
		return bad("it has no %s: expected an RO-Crate that metamers runs export wrote", crateName)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, mostMetadata+1))
	if err != nil {
		return bad("%s: %v", crateName, err)
	}
	if len(data) > mostMetadata {
		return bad("%s is longer than %d bytes", crateName, mostMetadata)
	}
	var doc struct {
		Graph []struct {
			ID     string `json:"@id"`
			SHA256 string `json:"sha256"`
		} `json:"@graph"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return bad("%s: %v", crateName, err)
	}
	a.sums = map[string]string{}
	for _, e := range doc.Graph {
		if e.SHA256 != "" {
			a.sums[e.ID] = e.SHA256
		}
	}
	for _, f := range a.z.File {
		rest, ok := strings.CutPrefix(f.Name, runsPrefix)
		id, _, deep := strings.Cut(rest, "/")
		if ok && deep && idForm.MatchString(id) && !slices.Contains(a.ids, id) {
			a.ids = append(a.ids, id)
		}
	}
	if len(a.ids) == 0 {
		return bad("it holds no run")
	}
	return nil
}

// Outside checks the files that belong to no run against the metadata and returns a
// sentence for each that is damaged, missing or not listed.
func (a *Archive) Outside() (problems []string) {
	there := map[string]bool{}
	for _, f := range a.z.File {
		there[f.Name] = true
		want := a.sums[f.Name]
		if want == "" || strings.HasPrefix(f.Name, runsPrefix) {
			continue
		}
		r, err := f.Open()
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", f.Name, err))
			continue
		}
		h := sha256.New()
		_, err = io.Copy(h, r)
		r.Close()
		if got := hex.EncodeToString(h.Sum(nil)); err != nil || got != want {
			problems = append(problems, fmt.Sprintf("%s has the SHA-256 %s, expected %s (%v)", f.Name, got, want, err))
		}
	}
	for name := range a.sums {
		if !there[name] {
			problems = append(problems, name+" is missing")
		}
	}
	slices.Sort(problems)
	return problems
}

// unpack unpacks a run into dir and verifies it.
func (a *Archive) unpack(id, dir string) Check {
	c := Check{ID: id, Dir: dir, State: Whole}
	if err := unpack(a.z, runsPrefix+id+"/", dir); err != nil {
		return c.with(err)
	}
	c = verifyFolder(c)
	for name, want := range a.sums {
		rel, ok := strings.CutPrefix(name, runsPrefix+id+"/")
		if !ok || !filepath.IsLocal(rel) {
			continue
		}
		if problem, err := checkFile(dir, rel, want); err != nil {
			c = c.with(err)
		} else if problem != "" && !slices.Contains(c.Problems, problem) {
			c = c.with(&CorruptError{Dir: dir, Problem: problem})
		}
	}
	return c
}

// Verify checks every file of a run in the archive, as Store.Verify does.
func (a *Archive) Verify(id string) Check {
	tmp, err := os.MkdirTemp("", "metamers-verify-")
	if err != nil {
		return Check{ID: id, Dir: a.Path}.with(err)
	}
	defer os.RemoveAll(tmp)
	c := a.unpack(id, filepath.Join(tmp, id))
	c.Dir = a.Path + "/" + runsPrefix + id
	return c
}

// Import copies a run of the archive into the store and reports whether it is new. A run
// that is not whole is an error. Rows are added to a run that is already stored.
func (s *Store) Import(ctx context.Context, a *Archive, id string) (isNew bool, err error) {
	if err := checkID(id); err != nil {
		return false, err
	}
	if err := s.writable(); err != nil {
		return false, err
	}
	tmp, err := s.partFolder(id)
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(tmp)
	dir := filepath.Join(tmp, "run")
	if c := a.unpack(id, dir); c.State != Whole {
		return false, &CorruptError{Dir: a.Path, Problem: fmt.Sprintf("run %s is %s: %s", id, c.State, strings.Join(c.Problems, "; "))}
	}
	to := filepath.Join(s.Dir, id)
	_, err = s.LoadContext(ctx, id)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := syncTree(dir); err != nil {
			return false, fmt.Errorf("runs: importing run %s: %w", id, err)
		}
		if err := os.Rename(dir, to); err != nil {
			if verify(to) != nil {
				return false, fmt.Errorf("runs: importing run %s: %w", id, err)
			}
		} else if err := syncFile(s.Dir); err != nil {
			return false, fmt.Errorf("runs: importing run %s: %w", id, err)
		} else {
			isNew = true
		}
	case err != nil:
		return false, fmt.Errorf("runs: importing run %s: %w", id, err)
	default:
		if err := addRows(filepath.Join(dir, "rows"), to); err != nil {
			return false, fmt.Errorf("runs: importing rows of run %s: %w", id, err)
		}
	}
	if err := s.published(ctx, id); err != nil {
		return isNew, err
	}
	rows, _ := filepath.Glob(filepath.Join(to, "rows", "*.csv"))
	for _, p := range rows {
		if err := sendRows(to, filepath.Base(p)); err != nil {
			return isNew, err
		}
	}
	return isNew, nil
}

// addRows copies files of rows that are not there yet.
func addRows(from, run string) error {
	files, err := filepath.Glob(filepath.Join(from, "*.csv"))
	if err != nil {
		return err
	}
	for _, p := range files {
		to := filepath.Join(run, "rows", filepath.Base(p))
		if _, err := os.Stat(to); err == nil {
			continue
		}
		data, err := os.ReadFile(p)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(to), 0o755)
		}
		if err == nil {
			err = paths.WriteBytes(to, data)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
