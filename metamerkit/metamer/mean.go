package metamer

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/table"
)

// A Mean is the mean of a group of rows.
type Mean struct {
	By    []string // columns by which the rows were grouped
	Group []string // the group's values of them
	X     float64  // where a plot puts it: see Means.XY
	Value float64
	Low   float64 // bounds of the interval, NaN without one
	High  float64
	Count int // rows behind the value
}

// Means are the means of groups of rows. They can be given to gonum's plotters as they
// are: as points and lines (they are a plotter.XYer), with error bars
// (plotter.YErrorer), and as bars (plotter.Valuer).
type Means []Mean

// Columns are the columns by which rows can be grouped, as in their CSV file.
var Columns = []string{"run", "set", "stage", "observer", "member", "image", "measure"}

// Column returns the row's value of one of Columns. It panics for all other names.
func (r Row) Column(name string) string {
	switch name {
	case "run":
		return r.Run
	case "set":
		return r.Set
	case "stage":
		return r.Stage
	case "observer":
		return r.Observer
	case "member":
		return strconv.FormatBool(r.Member)
	case "image":
		return strconv.Itoa(r.Image)
	case "measure":
		return r.Measure
	}
	panic(fmt.Sprintf("metamer: rows have no column %q, expected one of %s", name, strings.Join(Columns, ", ")))
}

// Distinct returns the values of a column in the order in which they come. They are the
// names of an axis on which Means or Series lie: p.NominalX(rows.Distinct("stage")...).
func (r Rows) Distinct(column string) (out []string) {
	seen := map[string]bool{}
	for _, row := range r {
		if v := row.Column(column); !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}

// Means returns the mean of each group of rows that have the same values of the given
// columns, in the order in which the groups come. Rows without a value are left out, and
// so is a group without any.
//
// Where every row of a group has an interval, Low and High are the means of the rows'
// bounds. For a group of one row that is its interval; for several it is wider than the
// interval of the mean unless the rows vary together.
func (r Rows) Means(by ...string) (out Means) {
	at := map[string]int{}
	for _, row := range r {
		group := make([]string, len(by))
		for i, c := range by {
			group[i] = row.Column(c)
		}
		if math.IsNaN(row.Value) {
			continue
		}
		key := strings.Join(group, "\x00")
		i, ok := at[key]
		if !ok {
			i = len(out)
			at[key] = i
			out = append(out, Mean{By: by, Group: group, X: float64(i)})
		}
		m := &out[i]
		m.Value, m.Low, m.High, m.Count = m.Value+row.Value, m.Low+row.Low, m.High+row.High, m.Count+1
	}
	for i := range out {
		n := float64(out[i].Count)
		out[i].Value, out[i].Low, out[i].High = out[i].Value/n, out[i].Low/n, out[i].High/n
	}
	return out
}

// Series returns the means as several lines: for each value of a column its name and its
// Means by another column, as gonum's plotutil takes them:
//
//	plotutil.AddLinePoints(p, rows.Series("set", "stage")...)
//
// The X of a mean is the place of its value of column x in Distinct(x); for "image" it
// is the image's index.
func (r Rows) Series(column, x string) (out []any) {
	places := r.Distinct(x)
	for _, name := range r.Distinct(column) {
		means := r.Where(func(row Row) bool { return row.Column(column) == name }).Means(x)
		for i := range means {
			value := means[i].Group[0]
			means[i].X = float64(slices.Index(places, value))
			if n, err := strconv.Atoi(value); err == nil && x == "image" {
				means[i].X = float64(n)
			}
		}
		if len(means) > 0 {
			out = append(out, name, means)
		}
	}
	return out
}

// Len is the number of groups.
func (m Means) Len() int { return len(m) }

// XY returns a mean as a point. Its x is the number of its group, from 0 (see Series).
func (m Means) XY(i int) (x, y float64) { return m[i].X, m[i].Value }

// Value returns a mean.
func (m Means) Value(i int) float64 { return m[i].Value }

// YError returns how far the interval of a mean extends below and above it: 0 without an
// interval.
func (m Means) YError(i int) (low, high float64) {
	if math.IsNaN(m[i].Low) || math.IsNaN(m[i].High) {
		return 0, 0
	}
	return m[i].Value - m[i].Low, m[i].High - m[i].Value
}

const shownRows = 20 // rows that a notebook shows

// brief is a number as a table has it; "" for NaN.
func brief(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// MIMEBundle shows the first means as a table.
func (m Means) MIMEBundle() (map[string][]byte, error) {
	t := &table.Table{Caption: fmt.Sprintf("Means of %d groups.", len(m))}
	if len(m) > shownRows {
		t.Caption = fmt.Sprintf("Means of %d groups; the first %d are shown.", len(m), shownRows)
	}
	if len(m) > 0 {
		for _, c := range m[0].By {
			t.Columns = append(t.Columns, table.Column{Head: c})
		}
	}
	for _, head := range []string{"mean", "low", "high", "rows"} {
		t.Columns = append(t.Columns, table.Column{Head: head, Right: true})
	}
	for _, g := range m[:min(len(m), shownRows)] {
		t.Rows = append(t.Rows, append(slices.Clone(g.Group), brief(g.Value), brief(g.Low), brief(g.High), strconv.Itoa(g.Count)))
	}
	return map[string][]byte{"text/html": []byte(t.HTML()), "text/plain": []byte(t.Caption + "\n\n" + t.Markdown())}, nil
}

// MIMEBundle shows the first rows as a table, without columns that are empty in all of
// them.
func (r Rows) MIMEBundle() (map[string][]byte, error) {
	t := &table.Table{Caption: fmt.Sprintf("%d rows.", len(r))}
	if len(r) > shownRows {
		t.Caption = fmt.Sprintf("%d rows; the first %d are shown.", len(r), shownRows)
	}
	few := r[:min(len(r), shownRows)]
	t.Rows = make([][]string, len(few))
	column := func(head string, right bool, text func(Row) string) {
		cells := make([]string, len(few))
		empty := true
		for i, row := range few {
			cells[i] = text(row)
			empty = empty && cells[i] == ""
		}
		if empty {
			return
		}
		t.Columns = append(t.Columns, table.Column{Head: head, Right: right})
		for i := range few {
			t.Rows[i] = append(t.Rows[i], cells[i])
		}
	}
	for _, c := range Columns {
		column(c, c == "image", func(row Row) string {
			if c == "image" && row.Image < 0 {
				return "all"
			}
			return row.Column(c)
		})
	}
	column("value", true, func(row Row) string { return brief(row.Value) })
	column("low", true, func(row Row) string { return brief(row.Low) })
	column("high", true, func(row Row) string { return brief(row.High) })
	column("count", true, func(row Row) string { return strconv.Itoa(row.Count) })
	column("reason", false, func(row Row) string { return row.Reason })
	return map[string][]byte{"text/html": []byte(t.HTML()), "text/plain": []byte(t.Caption + "\n\n" + t.Markdown())}, nil
}
