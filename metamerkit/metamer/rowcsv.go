package metamer

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// rowHeader is the first line of a file of rows. Numbers are written so that they
// read back to the same bits, NaN as NaN, infinity as Inf, booleans as true and
// false: what pandas.read_csv and R's read.csv understand. (A column of IDs that
// are all digits is read as numbers there unless its type is given.)
//
// The columns from images on say how the metamers were made, and name is that of the image.
// A file may end before images or before name.
var rowHeader = []string{"run", "set", "stage", "observer", "member", "image", "measure", "value", "low", "high", "count", "reason",
	"images", "optimizer", "steps", "loss", "seed", "settings", "versions", "name"}

// measured is the number of columns before those of Made, made the number before name.
const (
	measured = 12
	made     = 19
)

// RowError reports a line of a file of rows that is not as it should be.
type RowError struct {
	Path    string // "" when the source has no name
	Line    int    // from 1; the header is line 1
	Problem string
}

func (e *RowError) Error() string {
	return fmt.Sprintf("rows: %s: line %d: %s", cmp.Or(e.Path, "input"), e.Line, e.Problem)
}

// RowWriter writes rows as CSV, one by one.
type RowWriter struct{ w *csv.Writer }

// NewRowWriter writes the header.
func NewRowWriter(w io.Writer) (*RowWriter, error) {
	c := csv.NewWriter(w)
	if err := c.Write(rowHeader); err != nil {
		return nil, fmt.Errorf("rows: %w", err)
	}
	return &RowWriter{c}, nil
}

// Write adds a row. Text that CSV cannot carry unchanged (carriage returns, text
// that is not UTF-8) is an error.
func (w *RowWriter) Write(r Row) error {
	made, steps, seed := Made{}, "", ""
	if r.Made != nil {
		made = *r.Made
		if made.Optimizer != "" || made.Steps != 0 || made.Seed != 0 {
			steps, seed = strconv.Itoa(made.Steps), strconv.FormatUint(made.Seed, 10)
		}
	}
	for i, s := range []string{r.Run, r.Set, r.Stage, r.Observer, r.Measure, r.Reason, made.Images, made.Optimizer, made.Loss, made.Settings, made.Versions, r.Name} {
		if strings.ContainsRune(s, '\r') || !utf8.ValidString(s) {
			return fmt.Errorf("rows: the text %q (field %d) has a carriage return or is not UTF-8", s, i+1)
		}
	}
	err := w.w.Write([]string{r.Run, r.Set, r.Stage, r.Observer, strconv.FormatBool(r.Member), strconv.Itoa(r.Image), r.Measure,
		number(r.Value), number(r.Low), number(r.High), strconv.Itoa(r.Count), r.Reason,
		made.Images, made.Optimizer, steps, made.Loss, seed, made.Settings, made.Versions, r.Name})
	if err != nil {
		return fmt.Errorf("rows: %w", err)
	}
	return nil
}

// Flush writes what is buffered.
func (w *RowWriter) Flush() error {
	w.w.Flush()
	if err := w.w.Error(); err != nil {
		return fmt.Errorf("rows: %w", err)
	}
	return nil
}

func number(v float64) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 0):
		return strings.TrimPrefix(strconv.FormatFloat(v, 'g', -1, 64), "+")
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// RowReader reads rows, one by one.
type RowReader struct {
	path   string
	c      *csv.Reader
	fields int            // of a line
	made   map[Made]*Made // shared by the rows that have the same
}

// NewRowReader checks the header, behind a byte order mark if there is one; path
// only names the source in errors.
func NewRowReader(r io.Reader, path string) (*RowReader, error) {
	b := bufio.NewReader(r)
	if mark, _ := b.Peek(3); bytes.Equal(mark, []byte("\ufeff")) {
		b.Discard(3)
	}
	rr := &RowReader{path: path, c: csv.NewReader(b), made: map[Made]*Made{}}
	rr.c.FieldsPerRecord = -1
	head, err := rr.c.Read()
	if err == io.EOF {
		return nil, &RowError{path, 1, "it is empty, expected the header " + strings.Join(rowHeader, ",")}
	}
	if err != nil {
		return nil, rr.wrap(err)
	}
	rr.fields = len(head)
	if !slices.Equal(head, rowHeader) && !slices.Equal(head, rowHeader[:made]) && !slices.Equal(head, rowHeader[:measured]) {
		return nil, &RowError{path, 1, fmt.Sprintf("the header is %.300q, expected %s", strings.Join(head, ","), strings.Join(rowHeader, ","))}
	}
	return rr, nil
}

func (r *RowReader) wrap(err error) error {
	var p *csv.ParseError
	if errors.As(err, &p) {
		return &RowError{r.path, p.Line, p.Err.Error()}
	}
	return fmt.Errorf("rows: %s: %w", cmp.Or(r.path, "input"), err)
}

// Read returns the next row; the error is io.EOF behind the last one.
func (r *RowReader) Read() (row Row, err error) {
	f, err := r.c.Read()
	if err == io.EOF {
		return row, err
	}
	if err != nil {
		return row, r.wrap(err)
	}
	line, _ := r.c.FieldPos(0)
	if len(f) != r.fields {
		return row, &RowError{r.path, line, fmt.Sprintf("it has %d fields, expected %d", len(f), r.fields)}
	}
	bad := func(i int, want string) error {
		return &RowError{r.path, line, fmt.Sprintf("%s is %.100q, expected %s", rowHeader[i], f[i], want)}
	}
	row = Row{Run: f[0], Set: f[1], Stage: f[2], Observer: f[3], Measure: f[6], Reason: f[11]}
	for i, s := range f {
		if !utf8.ValidString(s) || strings.ContainsRune(s, '\r') {
			return row, bad(i, "UTF-8 text without carriage returns")
		}
	}
	switch f[4] { // R writes TRUE, pandas True
	case "true", "True", "TRUE":
		row.Member = true
	case "false", "False", "FALSE":
	default:
		return row, bad(4, "true or false")
	}
	if row.Image, err = strconv.Atoi(f[5]); err != nil || row.Image < -1 {
		return row, bad(5, "the index of an image, or -1")
	}
	for i, to := range map[int]*float64{7: &row.Value, 8: &row.Low, 9: &row.High} {
		if *to, err = parseNumber(f[i]); err != nil {
			return row, bad(i, "a number, NaN or Inf")
		}
	}
	if row.Count, err = strconv.Atoi(f[10]); err != nil || row.Count < 0 {
		return row, bad(10, "a number of images")
	}
	if row.Measure == "" {
		return row, bad(6, "the name of a measure")
	}
	if len(f) == measured {
		return row, nil
	}
	if len(f) > made {
		row.Name = f[made]
	}
	m := Made{Images: f[12], Optimizer: f[13], Loss: f[15], Settings: f[17], Versions: f[18]}
	if m.Steps, err = whole[int](f[14]); err != nil || m.Steps < 0 {
		return row, bad(14, "a number of steps, or nothing")
	}
	if m.Seed, err = whole[uint64](f[16]); err != nil {
		return row, bad(16, "a seed, or nothing")
	}
	if m == (Made{}) {
		return row, nil
	}
	if r.made[m] == nil {
		r.made[m] = &m
	}
	row.Made = r.made[m]
	return row, nil
}

// whole takes what pandas writes beside missing values too, such as 1000.0; nothing
// is 0.
func whole[T int | uint64](s string) (v T, err error) {
	if s == "" || s == "NA" {
		return 0, nil
	}
	u, err := strconv.ParseUint(strings.TrimSuffix(s, ".0"), 10, 64)
	if v = T(u); v < 0 {
		err = strconv.ErrRange
	}
	return v, err
}

// parseNumber takes what R and pandas write for a missing value too: NA, nothing.
func parseNumber(s string) (float64, error) {
	if s == "" || s == "NA" {
		return math.NaN(), nil
	}
	if strings.ContainsAny(s, "_xXpP") { // Go's own notations
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseFloat(s, 64)
}

// WriteRows writes rows with their header as CSV.
func WriteRows(w io.Writer, rows Rows) error {
	rw, err := NewRowWriter(w)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := rw.Write(r); err != nil {
			return err
		}
	}
	return rw.Flush()
}

// ReadRows reads all rows; path only names the source in errors.
func ReadRows(r io.Reader, path string) (Rows, error) {
	rr, err := NewRowReader(r, path)
	if err != nil {
		return nil, err
	}
	var rows Rows
	for {
		row, err := rr.Read()
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
}

// LoadRows reads a file of rows, unpacked where its name ends in .gz.
func LoadRows(path string) (Rows, error) {
	f, err := paths.Open(path)
	if err != nil {
		return nil, fmt.Errorf("rows: %w", err)
	}
	defer f.Close()
	if !strings.HasSuffix(path, ".gz") {
		return ReadRows(f, path)
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("rows: %s: %w", path, err)
	}
	return ReadRows(z, path)
}

// SaveRows writes a file of rows under a temporary name and renames it, so that
// path never holds half of them. A name that ends in .gz is of a packed file, which
// pandas and R read as well.
func SaveRows(path string, rows Rows) error {
	err := paths.WriteFile(path, func(f *os.File) error {
		if !strings.HasSuffix(path, ".gz") {
			return WriteRows(f, rows)
		}
		z := gzip.NewWriter(f)
		if err := WriteRows(z, rows); err != nil {
			return err
		}
		return z.Close()
	})
	if err != nil {
		return fmt.Errorf("rows: %w", err)
	}
	return nil
}
