package zootest

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Row is what docs/notes/models.md says of a family: the largest errors of its golden
// files (see Errors) on any backend.
type Row struct {
	Members   []string // names of the golden files
	Reference []string // libraries and versions
	Errors
}

// Add takes a golden file in.
func (r *Row) Add(name, reference string, e Errors) {
	r.Members = append(r.Members, name)
	if !slices.Contains(r.Reference, reference) {
		r.Reference = append(r.Reference, reference)
	}
	r.Activation, r.Gradient = max(r.Activation, e.Activation), max(r.Gradient, e.Gradient)
}

const begin, end = "<!-- agreement: go test ./metamerkit/zoo/zootest -run TestGolden -update -->\n", "<!-- agreement ends -->\n"

var line = regexp.MustCompile(`(?m)^\| (\S+) \| ([^|]+) \| ([^|]+) \| (\S+) \| (\S+) \|$`)

// Table writes rows by family as Markdown, errors rounded up to one digit.
func Table(rows map[string]Row) string {
	var b strings.Builder
	b.WriteString("| family | small members | reference | activations, logits | image gradients |\n|---|---|---|---|---|\n")
	for _, family := range slices.Sorted(maps.Keys(rows)) {
		r := rows[family]
		slices.Sort(r.Members)
		slices.Sort(r.Reference)
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", family, strings.Join(r.Members, ", "), strings.Join(r.Reference, ", "), up(r.Activation), up(r.Gradient))
	}
	return b.String()
}

// up rounds to one digit, never down.
func up(v float64) string {
	s := strconv.FormatFloat(v, 'e', 0, 64)
	if r, _ := strconv.ParseFloat(s, 64); r < v {
		digit, exponent, _ := strings.Cut(s, "e")
		d, _ := strconv.Atoi(digit)
		if s = fmt.Sprintf("%de%s", d+1, exponent); d == 9 {
			e, _ := strconv.Atoi(exponent)
			s = fmt.Sprintf("1e%03d", e+1)
		}
	}
	return s
}

// ReadTable reads the table of a document.
func ReadTable(path string) (map[string]Row, error) {
	_, table, _, err := split(path)
	if err != nil {
		return nil, err
	}
	rows := map[string]Row{}
	for _, m := range line.FindAllStringSubmatch(table, -1) {
		if m[1] == "family" || strings.HasPrefix(m[1], "---") {
			continue
		}
		r := Row{Members: strings.Split(m[2], ", "), Reference: strings.Split(m[3], ", ")}
		var err1, err2 error
		r.Activation, err1 = strconv.ParseFloat(m[4], 64)
		r.Gradient, err2 = strconv.ParseFloat(m[5], 64)
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("%s: errors %q and %q of %s are no numbers", path, m[4], m[5], m[1])
		}
		rows[m[1]] = r
	}
	return rows, nil
}

// WriteTable puts a new table into a document.
func WriteTable(path string, rows map[string]Row) error {
	before, _, after, err := split(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(before+Table(rows)+after), 0o644)
}

func split(path string) (before, table, after string, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", "", "", err
	}
	a, b := strings.Index(string(data), begin), strings.Index(string(data), end)
	if a < 0 || b < a {
		return "", "", "", fmt.Errorf("%s has no table between %q and %q", path, begin, end)
	}
	a += len(begin)
	return string(data[:a]), string(data[a:b]), string(data[b:]), nil
}
