package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/ensemble-metamers/metamers/metamerkit/claims"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// rowsJSON writes rows as JSON, with claims, claims with people as the observer, and
// comparisons if there are any. NaN is null.
func rowsJSON(w io.Writer, rows metamer.Rows, list, byPeople []claims.Claim, compared []claims.Comparison) error {
	type object struct {
		Run      string   `json:"run"`
		Set      string   `json:"set"`
		Stage    string   `json:"stage"`
		Observer string   `json:"observer"`
		Member   bool     `json:"member"`
		Image    *int     `json:"image"` // null: over all images
		Name     string   `json:"name,omitempty"`
		Measure  string   `json:"measure"`
		Value    *float64 `json:"value"`
		Low      *float64 `json:"low"`
		High     *float64 `json:"high"`
		Count    int      `json:"count"`
		Reason   string   `json:"reason,omitempty"`
	}
	finite := func(v float64) *float64 {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		return &v
	}
	out := make([]object, len(rows))
	for i, r := range rows {
		out[i] = object{r.Run, r.Set, r.Stage, r.Observer, r.Member, nil, r.Name, r.Measure, finite(r.Value), finite(r.Low), finite(r.High), r.Count, r.Reason}
		if r.Image >= 0 {
			out[i].Image = &r.Image
		}
	}
	type claim struct {
		Name    string   `json:"name"`
		Text    string   `json:"text"`
		Number  *float64 `json:"number"`
		Low     *float64 `json:"low"`
		High    *float64 `json:"high"`
		Unit    string   `json:"unit"`
		P       *float64 `json:"p"`
		Test    string   `json:"test"`
		Basis   string   `json:"basis"`
		Verdict string   `json:"verdict"`
	}
	outcomes := func(list []claims.Claim) (out []claim) {
		for _, c := range list {
			out = append(out, claim{c.Name, c.Text, finite(c.Number), finite(c.Low), finite(c.High), c.Unit, finite(c.P), c.Test, c.Basis, c.Verdict})
		}
		return out
	}
	type comparison struct {
		Measure    string   `json:"measure"`
		Stage      string   `json:"stage"`
		A          string   `json:"a"`
		B          string   `json:"b"`
		Observers  []string `json:"observers,omitempty"`
		Images     int      `json:"images"`
		Difference *float64 `json:"difference"`
		Low        *float64 `json:"low"`
		High       *float64 `json:"high"`
		Test       string   `json:"test,omitempty"`
		P          *float64 `json:"p"`
		Holm       *float64 `json:"holm"`
		Reason     string   `json:"reason,omitempty"`
	}
	var pairs []comparison
	for _, c := range compared {
		pairs = append(pairs, comparison{c.Measure, c.Stage, c.A, c.B, c.Observers, c.Images, finite(c.Difference), finite(c.Low), finite(c.High), c.Test, finite(c.P), finite(c.Holm), c.Why})
	}
	return json.NewEncoder(w).Encode(struct {
		Rows        []object     `json:"rows"`
		Claims      []claim      `json:"claims,omitempty"`
		ByPeople    []claim      `json:"claimsByPeople,omitempty"`
		Comparisons []comparison `json:"comparisons,omitempty"`
	}{out, outcomes(list), outcomes(byPeople), pairs})
}

// rowsTable prints a table a measure over all images: a line a run, a column an
// observer.
func rowsTable(w io.Writer, rows metamer.Rows) error {
	type line struct{ run, set, stage string }
	var measures, observers []string
	var lines []line
	cells := map[string]string{}
	reasons := map[string]int{}
	var reasonOrder []string
	note := func(list []string, s string) []string {
		if slices.Contains(list, s) {
			return list
		}
		return append(list, s)
	}
	for _, r := range rows {
		if r.Image >= 0 {
			continue
		}
		l := line{r.Run, r.Set, r.Stage}
		if !slices.Contains(lines, l) {
			lines = append(lines, l)
		}
		measures, observers = note(measures, r.Measure), note(observers, r.Observer)
		cell := significant(r.Value)
		if !math.IsNaN(r.Low) {
			cell += fmt.Sprintf(" [%s %s]", significant(r.Low), significant(r.High))
		}
		if math.IsNaN(r.Value) {
			if reasons[r.Reason] == 0 {
				reasonOrder = append(reasonOrder, r.Reason)
				reasons[r.Reason] = len(reasonOrder)
			}
			cell = fmt.Sprintf("– (%d)", reasons[r.Reason])
		} else if r.Member && r.Observer != metamer.Members {
			cell += " *"
		}
		cells[fmt.Sprint(l, r.Measure, r.Observer)] = cell
	}
	sets := map[string]int{}
	for _, l := range lines {
		if _, ok := sets[l.set]; !ok {
			sets[l.set] = len(sets)
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int {
		if a.set != b.set {
			return sets[a.set] - sets[b.set]
		}
		return slices.Index(metamer.Stages, a.stage) - slices.Index(metamer.Stages, b.stage)
	})
	for _, m := range measures {
		var has []string
		for _, o := range observers {
			if slices.ContainsFunc(lines, func(l line) bool { return cells[fmt.Sprint(l, m, o)] != "" }) {
				has = append(has, o)
			}
		}
		fmt.Fprintf(w, "\n%s\n", m)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		heads := slices.Clone(has)
		for i, h := range heads {
			switch {
			case h != "":
			case strings.HasPrefix(m, "apart"):
				heads[i] = "all other models"
			default:
				heads[i] = "image"
			}
		}
		fmt.Fprintf(t, "  run\tmodel set\tstage\t%s\n", strings.Join(heads, "\t"))
		for _, l := range lines {
			row := []string{fmt.Sprintf("  %.8s", l.run), l.set, l.stage}
			if l.set == "" {
				row[1] = "references"
			}
			any := false
			for _, o := range has {
				c := cells[fmt.Sprint(l, m, o)]
				any = any || c != ""
				row = append(row, c)
			}
			if any {
				fmt.Fprintln(t, strings.Join(row, "\t"))
			}
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	if len(reasonOrder) > 0 {
		fmt.Fprintln(w)
	}
	for i, r := range reasonOrder {
		fmt.Fprintf(w, "(%d) %s\n", i+1, r)
	}
	return nil
}

// significant shows a value to three significant digits without an exponent where
// that is short.
func significant(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100:
		return fmt.Sprintf("%.4g", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	case a >= 0.0095 || a == 0:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.2g", v)
}
