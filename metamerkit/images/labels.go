package images

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// LabelsFile is the name of the table that gives the classes of the image files in its
// folder (see ReadLabels). Its indices are classes of ImageNet-1k, 0 to 999. Files that are
// not in the table have no label.
const LabelsFile = "labels.tsv"

// Label is the class of an image file.
type Label struct {
	Index int    // from 0
	Name  string // "" where the table has none
}

// ReadLabels reads a tab-separated table with a header row: the columns file and index are
// required, a column with class names is optional. The keys of the result are file names
// without folders. Errors name the file and the line.
func ReadLabels(path string) (map[string]Label, error) {
	text, err := paths.ReadText(path)
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma, r.LazyQuotes = '\t', true
	rows, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s is empty, expected a head with the columns file and index", path)
	}
	file, index, name := slices.Index(rows[0], "file"), slices.Index(rows[0], "index"), slices.Index(rows[0], "name")
	if head := rows[0]; len(head) == 1 && strings.ContainsAny(head[0], ",;") {
		return nil, fmt.Errorf("%s: the head is %q, expected columns that are separated by tabs, not by %c", path, head[0], head[0][strings.IndexAny(head[0], ",;")])
	}
	if file < 0 || index < 0 {
		return nil, fmt.Errorf("%s has the columns %q, expected file and index among them", path, rows[0])
	}
	out := map[string]Label{}
	for i, row := range rows[1:] {
		n, err := strconv.Atoi(row[index])
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%s, line %d: the index is %q, expected a class number from 0", path, i+2, row[index])
		}
		l := Label{Index: n}
		if name >= 0 { // ImageNet's lists name a class several times
			l.Name, _, _ = strings.Cut(row[name], ",")
		}
		base := filepath.Base(row[file])
		if before, ok := out[base]; ok && before.Index != n {
			return nil, fmt.Errorf("%s, line %d: %s has the class %d, and %d further up; expected one line a file", path, i+2, base, n, before.Index)
		}
		out[base] = l
	}
	return out, nil
}

// imageNetClasses is the number of ImageNet-1k's classes.
const imageNetClasses = 1000

// label gives a set of files the labels of the tables in their folders.
func label(s *Set, files []string) error {
	tables := map[string]map[string]Label{}
	for i, f := range files {
		if f == "-" {
			continue
		}
		dir := filepath.Dir(f)
		if _, ok := tables[dir]; !ok {
			t, err := ReadLabels(filepath.Join(dir, LabelsFile))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("images: labels: %w", err)
			}
			tables[dir] = t
		}
		l, ok := tables[dir][filepath.Base(f)]
		if !ok {
			continue
		}
		if l.Index >= imageNetClasses {
			return fmt.Errorf("images: labels: %s has the class %d for %s, expected one of ImageNet-1k, 0 to %d", filepath.Join(dir, LabelsFile), l.Index, filepath.Base(f), imageNetClasses-1)
		}
		if s.ClassNames == nil {
			s.ClassNames = make([]string, imageNetClasses)
		}
		s.Labels[i], s.ClassNames[l.Index] = l.Index, l.Name
	}
	return nil
}
