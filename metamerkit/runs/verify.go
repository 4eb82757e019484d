package runs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// The states of a run in Check.
const (
	Whole      = "whole"       // every file is as it was written
	Damaged    = "damaged"     // a file is not; Problems says which
	NoManifest = "no manifest" // there are no checksums: the run was made by an older version, or copied in part
	Unreadable = "unreadable"  // the files could not be read, so their state is unknown
)

// Check is the result of Verify.
type Check struct {
	ID, Dir  string
	State    string   // Whole, Damaged, NoManifest or Unreadable
	Problems []string `json:",omitempty"`
	Notes    []string `json:",omitempty"` // oddities that do no harm
	Files    int      // number of files read, those of rows included
	Bytes    int64    // their size
	Rows     int      // number of files of rows
}

// Verify checks every file of a run: all checksums of the manifest, the recipe's hash
// against the folder's name, pixels in [0,1], match statistics, trace and stored rows. For
// an object store the objects are read, not the local copy.
func (s *Store) Verify(ctx context.Context, id string) Check {
	c := Check{ID: id, Dir: filepath.Join(s.Dir, id), State: Whole}
	if err := checkID(id); err != nil {
		return c.with(err)
	}
	if s.URL == "" {
		if _, err := os.Stat(c.Dir); err != nil {
			return c.with(fmt.Errorf("runs: %w", err))
		}
		return verifyFolder(c)
	}
	c.Dir = s.URL + "/" + objectKey(id)
	tmp, err := s.partFolder(id)
	if err != nil {
		return c.with(err)
	}
	defer os.RemoveAll(tmp)
	b, err := s.bucket(ctx)
	if err != nil {
		return c.with(err)
	}
	file, dir := filepath.Join(tmp, "run.zip"), filepath.Join(tmp, id)
	if err := download(ctx, b, objectKey(id), file); err != nil {
		return c.with(err)
	}
	if err := unpackFile(file, dir); err != nil {
		return c.with(err)
	}
	rows, err := b.List(ctx, id+"/rows/")
	if err == nil && len(rows) > 0 {
		err = os.MkdirAll(filepath.Join(dir, "rows"), 0o755)
	}
	for _, o := range rows {
		if err == nil {
			err = download(ctx, b, o.Key, filepath.Join(dir, "rows", filepath.Base(o.Key)))
		}
	}
	if err != nil {
		return c.with(fmt.Errorf("runs: reading rows in %s: %w", s.URL, err))
	}
	object := c.Dir
	c.Dir = dir
	c = verifyFolder(c)
	c.Dir = object
	return c
}

// with adds a problem.
func (c Check) with(err error) Check {
	var bad *CorruptError
	c.State = Unreadable
	text := err.Error()
	if errors.As(err, &bad) {
		c.State, text = Damaged, bad.Problem
	}
	c.Problems = append(c.Problems, text)
	return c
}

// verifyFolder checks the run in c.Dir, whose folder is named by c.ID.
func verifyFolder(c Check) Check {
	m, err := readManifest(c.Dir)
	bare := errors.Is(err, errNoManifest)
	if err != nil && !bare {
		return c.with(err)
	}
	if bare {
		c.State = NoManifest
	}
	err = filepath.WalkDir(c.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(c.Dir, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		info, err := e.Info()
		if err != nil {
			return err
		}
		c.Files, c.Bytes = c.Files+1, c.Bytes+info.Size()
		switch folder, base, _ := strings.Cut(name, "/"); {
		case folder == "rows" && base != "":
			return c.checkRows(path, base)
		case name != manifestName && m.Files[name] == "" && !bare:
			c.Notes = append(c.Notes, name+" is not in the manifest")
		}
		return nil
	})
	if err != nil {
		return c.with(fmt.Errorf("runs: %w", err))
	}
	for _, name := range m.listed() {
		if name == manifestName {
			continue
		}
		problem, err := checkFile(c.Dir, name, m.Files[name])
		if err != nil {
			return c.with(err)
		}
		if problem != "" {
			c = c.with(&CorruptError{Dir: c.Dir, Problem: problem})
		}
	}
	if c.State == Damaged {
		return c
	}
	state := c.State
	run, err := read(c.ID, c.Dir)
	if err == nil {
		err = plausible(run)
	}
	if err != nil {
		return c.with(err)
	}
	c.State = state
	return c
}

func (c *Check) checkRows(path, base string) error {
	if strings.HasPrefix(base, ".") {
		return nil // temporary
	}
	if !rowsForm.MatchString(base) {
		c.Notes = append(c.Notes, "rows/"+base+" has no sum in its name: an older version wrote it, and it is not used any more")
		return nil
	}
	c.Rows++
	if _, err := readRows(path); err != nil {
		var bad *CorruptError
		if !errors.As(err, &bad) {
			return err
		}
		c.State = Damaged
		c.Problems = append(c.Problems, "rows/"+base+": "+bad.Problem+" (evaluations measure it again)")
	}
	return nil
}

// plausible holds the numbers of a run against what they must be.
func plausible(run *metamer.Run) error {
	for name, v := range map[string][]float32{"metamers": run.Metamers, "start": run.Start} {
		if i := slices.IndexFunc(v, func(x float32) bool { return !(x >= 0 && x <= 1) }); i >= 0 {
			return &CorruptError{Dir: run.Dir, Problem: fmt.Sprintf("%s.safetensors has the value %v, expected pixels in [0,1]", name, v[i])}
		}
	}
	for _, of := range []struct {
		statistics []metamer.MatchStatistics
		models     []string
	}{{run.Statistics, run.Recipe.ModelNames()}, {run.Against, run.Recipe.Against.Names()}} {
		if n := len(of.models) * run.Recipe.Images.Count; len(of.statistics) != n {
			return &CorruptError{Dir: run.Dir, Problem: fmt.Sprintf("evidence.json has %d pairs of an image and a member, expected %d", len(of.statistics), n)}
		}
		for _, e := range of.statistics {
			if e.Image < 0 || e.Image >= run.Recipe.Images.Count || !slices.Contains(of.models, e.Member) {
				return &CorruptError{Dir: run.Dir, Problem: fmt.Sprintf("evidence.json names image %d and member %q, which the recipe does not have", e.Image, e.Member)}
			}
		}
	}
	return nil
}
