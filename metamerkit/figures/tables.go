package figures

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Models is Table 1: what each model is, where it comes from and what it scores.
func Models(cards ...*card.Card) *Table {
	t := &Table{Name: "table1", Title: "Models", Caption: "Models: architecture, training, parameters, source, licence and test accuracy as measured by this project.",
		Columns: []Column{{Head: "model"}, {Head: "kind"}, {Head: "training"}, {Head: "parameters", Right: true}, {Head: "source"}, {Head: "licence"}, {Head: "accuracy"}}}
	for _, c := range cards {
		var acc []string
		for _, m := range c.Measured {
			under := ""
			if m.Attack != "" {
				under = ", " + m.Attack
			}
			acc = append(acc, fmt.Sprintf("%.2f %% (%s%s)", m.Accuracy, m.Data, under))
		}
		kind := strings.ToUpper(c.Kind)
		if c.Kind != "cnn" {
			kind = c.Kind
		}
		t.Rows = append(t.Rows, []string{c.Name, kind, c.Training, count(c.Parameters), c.Weights.Source, c.Licence, dash(strings.Join(acc, ", "))})
	}
	return t
}

// ModelSets is Table 2: the sets with their members and kinds.
func ModelSets(s *Study) *Table {
	t := &Table{Name: "table2", Title: "Model sets", Caption: "Model sets: a set of one model, or an ensemble.",
		Columns: []Column{{Head: "model set"}, {Head: "members", Right: true}, {Head: "kind"}}}
	named := false
	for _, set := range s.sets() {
		row := []string{s.Label(set), strconv.Itoa(len(set)), s.group(set...).name, Members(set)}
		named = named || row[0] != row[3]
		t.Rows = append(t.Rows, row)
	}
	if named {
		t.Columns = append(t.Columns, Column{Head: "models"})
		return t
	}
	for i := range t.Rows {
		t.Rows[i] = t.Rows[i][:3]
	}
	return t
}

// Stages is Table 3: the layer that stands for each stage of each model, and why.
func Stages(cards ...*card.Card) *Table {
	t := &Table{Name: "table3", Title: "Stages", Caption: "The layer of each model that stands for a stage, and the reason.",
		Columns: []Column{{Head: "model"}, {Head: "stage"}, {Head: "layer"}, {Head: "reason"}}}
	for _, c := range cards {
		for _, st := range metamer.Stages {
			t.Rows = append(t.Rows, []string{c.Name, st, c.Stages[st].Layer, c.Stages[st].Why})
		}
	}
	return t
}

// Numbers is Table 5: recognizability and image metrics of each set and stage, with
// 95 % intervals.
func Numbers(s *Study, measures []Measure) *Table {
	t := &Table{Name: "table5", Title: "Results", Caption: s.caption("Recognizability by members and by other observers, and image metrics, with 95 % intervals over images. Arrows point in the better direction."),
		Columns: []Column{{Head: "model set"}, {Head: "stage"}, {Head: "members ↑", Right: true}, {Head: "other observers ↑", Right: true}}}
	columns := []string{metamer.Recognizability}
	if slices.ContainsFunc(s.Rows, func(r metamer.Row) bool { return r.Measure == metamer.Recognizability16 }) {
		columns = append(columns, metamer.Recognizability16)
		t.Columns = append(t.Columns, Column{Head: "members, 16 categories ↑", Right: true}, Column{Head: "other observers, 16 categories ↑", Right: true})
	}
	people := slices.ContainsFunc(s.Rows, func(r metamer.Row) bool {
		return r.Observer == metamer.People && r.Set != "" && r.Measure == metamer.Recognizability
	})
	if people {
		t.Columns = append(t.Columns, Column{Head: "people ↑", Right: true})
	}
	var shown []Measure
	for _, m := range measures {
		for _, r := range s.Rows {
			if r.Measure == m.Name {
				shown = append(shown, m)
				t.Columns = append(t.Columns, Column{Head: m.heading(), Right: true})
				break
			}
		}
	}
	for _, set := range s.sets() {
		for _, st := range s.stages() {
			row := []string{s.Label(set), st}
			for _, m := range columns {
				for _, who := range []string{metamer.Members, metamer.NonMembers} {
					row = append(row, s.cell(m, set, st, who))
				}
			}
			if people {
				row = append(row, s.cell(metamer.Recognizability, set, st, metamer.People))
			}
			for _, m := range shown {
				row = append(row, s.cell(m.Name, set, st, ""))
			}
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}

// cell is a value with its interval, or a dash.
func (s *Study) cell(measure string, set []string, stage, observer string) string {
	r, ok := s.find(measure, set, stage, observer)
	switch {
	case !ok:
		return "–"
	case r.Low <= r.High:
		return fmt.Sprintf("%s (%s–%s)", number(r.Value), number(r.Low), number(r.High))
	}
	return number(r.Value)
}

// number has three significant digits, and no exponent where there need be none.
func number(v float64) string {
	switch a := max(v, -v); {
	case a != 0 && (a < 1e-3 || a >= 1e5):
		return fmt.Sprintf("%.2e", v)
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	case a >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// count is a number of things with commas, – for none.
func count(n int) string {
	if n == 0 {
		return dash("")
	}
	return humanize.Comma(int64(n))
}

func dash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
