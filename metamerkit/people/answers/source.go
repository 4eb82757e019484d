package answers

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/people"
)

// extensions are those of data: participants' files, JATOS's text results and archives.
var extensions = []string{".csv", ".txt", ".jrzip", ".zip"}

// source is a text of rows: a file, or a member of an archive.
type source struct {
	name string
	text []byte
}

// sources reads files, and folders' files of data. Of an experiment's folder it reads those
// in data.
func sources(from []string) (out []source, err error) {
	for _, f := range from {
		files := []string{f}
		if st, err := os.Stat(f); err != nil {
			return nil, fmt.Errorf("experiment: %w", err)
		} else if st.IsDir() {
			if _, err := os.Stat(filepath.Join(f, people.DesignName)); err == nil {
				f = filepath.Join(f, "data")
			}
			entries, err := os.ReadDir(f)
			if err != nil {
				return nil, fmt.Errorf("experiment: %w", err)
			}
			files = nil
			for _, e := range entries {
				if !e.IsDir() && slices.Contains(extensions, filepath.Ext(e.Name())) {
					files = append(files, filepath.Join(f, e.Name()))
				}
			}
		}
		for _, file := range files {
			texts, err := read(file)
			if err != nil {
				return nil, fmt.Errorf("experiment: %w", err)
			}
			out = append(out, texts...)
		}
	}
	return out, nil
}

func read(file string) ([]source, error) {
	text, err := paths.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(text, []byte("PK\x03\x04")) {
		text, err = paths.ReadText(file)
		return []source{{file, text}}, err
	}
	z, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var out []source
	for _, member := range z.File {
		if ext := filepath.Ext(member.Name); ext != ".csv" && ext != ".txt" {
			continue // such as JATOS's metadata.json
		}
		name := file + ": " + member.Name
		r, err := member.Open()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		text, err := io.ReadAll(io.LimitReader(r, 1<<30))
		if err := errors.Join(err, r.Close()); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, source{name, text})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s has no .csv or .txt file in it", file)
	}
	return out, nil
}

// row is a line of a participant, and the line of its file.
type row struct {
	text string
	line int
}

// participants splits the rows of a text by participant: those after each header of the
// page's own file. Of a table of jsPsych's data it takes the column metamers_row, in which
// the page puts each row, and joins what a participant did before and after a reload.
func (s source) participants() ([][]row, error) {
	if len(s.text) == 0 {
		return nil, fmt.Errorf("%s is empty, expected a header and rows", s.name)
	}
	if first, _, _ := bytes.Cut(s.text, []byte("\n")); bytes.Contains(first, []byte(column)) {
		return s.table()
	}
	lines := strings.Split(strings.ReplaceAll(string(s.text), "\r\n", "\n"), "\n") // Git on Windows writes \r\n
	if last := len(lines) - 1; lines[last] != "" {
		return nil, fmt.Errorf("%s: line %d is cut: it has no end", s.name, last+1)
	}
	var out [][]row
	for i, l := range lines[:len(lines)-1] {
		switch {
		case l == people.Header():
			out = append(out, nil)
		case l == "" && (i+1 == len(lines)-1 || lines[i+1] == people.Header()): // between JATOS's results
		case len(out) == 0:
			return nil, fmt.Errorf("%s: line %d: the header is %.80q, expected %.80q…", s.name, i+1, l, people.Header())
		default:
			last := &out[len(out)-1]
			*last = append(*last, row{l, i + 1})
		}
	}
	return out, nil
}

const column = "metamers_row"

func (s source) table() (out [][]row, err error) {
	r := csv.NewReader(bytes.NewReader(s.text))
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	k := slices.Index(header, column)
	if k < 0 {
		return nil, fmt.Errorf("%s: the header has no column %s", s.name, column)
	}
	at := map[string]int{} // of a participant in out
	for {
		fields, err := r.Read()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		line, _ := r.FieldPos(k)
		text := fields[k]
		if text == "" || text == "null" {
			continue // a page without a row
		}
		parts, err := csv.NewReader(strings.NewReader(text)).Read()
		if err != nil || len(parts) != len(people.Columns) {
			return nil, fmt.Errorf("%s: line %d: %s is %.80q, expected %d fields of CSV", s.name, line, column, text, len(people.Columns))
		}
		name := parts[slices.IndexFunc(people.Columns, func(c people.Column) bool { return c.Name == "participant" })]
		if _, ok := at[name]; !ok {
			at[name] = len(out)
			out = append(out, nil)
		}
		out[at[name]] = append(out[at[name]], row{text, line})
	}
}
