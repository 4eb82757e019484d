package claims

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// cell is a model set at a stage, evaluated by an observer ("": image metrics).
type cell struct{ measure, set, stage, observer string }

// table holds rows by cell.
type table struct {
	cards     map[string]*card.Card
	images    int
	each      map[cell][]float64 // a value an image, NaN where there is none
	overall   map[cell]float64
	sets      []string
	stages    []string
	observers []string
	metrics   []string // measures without an observer that references have too
}

func newTable(rows metamer.Rows, cards map[string]*card.Card) (*table, error) {
	t := &table{cards: cards, each: map[cell][]float64{}, overall: map[cell]float64{}}
	rows, err := byReference(rows)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		t.images = max(t.images, r.Image+1)
	}
	runs := map[[2]string]string{}
	note := func(list *[]string, s string) {
		if s != "" && !slices.Contains(*list, s) {
			*list = append(*list, s)
		}
	}
	// People are no network: they count alone, where the rows have no network.
	networks := slices.ContainsFunc(rows, func(r metamer.Row) bool { return r.Observer != "" && r.Observer != metamer.People })
	for _, r := range rows {
		if r.Observer == metamer.Members || r.Observer == metamer.NonMembers || r.Withheld() != "" || networks && r.Observer == metamer.People {
			continue
		}
		key := [2]string{r.Set, r.Stage}
		if before, ok := runs[key]; ok && before != r.Run && r.Set != "" {
			return nil, fmt.Errorf("claims: the rows are of two runs, %s and %s, of {%s} at %s: test the claims of one setting at a time", before, r.Run, r.Set, r.Stage)
		}
		runs[key] = r.Run
		note(&t.sets, r.Set)
		note(&t.stages, r.Stage)
		note(&t.observers, r.Observer)
		c := cell{r.Measure, r.Set, r.Stage, r.Observer}
		if r.Image < 0 {
			t.overall[c] = r.Value
			continue
		}
		if t.each[c] == nil {
			t.each[c] = slices.Repeat([]float64{math.NaN()}, t.images)
		}
		t.each[c][r.Image] = r.Value
		if r.Set == "" && r.Observer == "" {
			note(&t.metrics, r.Measure)
		}
	}
	return t, nil
}

// byReference puts one row in the place of the rows of an image's variants, with the mean of
// their values: images are compared by their reference.
func byReference(rows metamer.Rows) (out metamer.Rows, err error) {
	each := 1
	for _, r := range rows {
		if r.Image >= 0 && r.Made != nil && strings.Contains(r.Made.Settings, `"variants"`) {
			made, err := r.Made.Recipe()
			if err != nil {
				return nil, fmt.Errorf("claims: %w", err)
			}
			each = made.Variants.Each()
			break
		}
	}
	if each == 1 {
		return rows, nil
	}
	type place struct {
		cell
		image int
	}
	at, count := map[place]int{}, map[int]float64{}
	for _, r := range rows {
		if r.Image < 0 {
			out = append(out, r)
			continue
		}
		r.Image /= each
		p := place{cell{r.Measure, r.Set, r.Stage, r.Observer}, r.Image}
		i, ok := at[p]
		switch {
		case !ok:
			at[p] = len(out)
			if !math.IsNaN(r.Value) {
				count[len(out)] = 1
			}
			out = append(out, r)
		case math.IsNaN(r.Value):
		case count[i] == 0:
			out[i].Value, count[i] = r.Value, 1
		default:
			count[i]++
			out[i].Value += (r.Value - out[i].Value) / count[i]
		}
	}
	return out, nil
}

func members(set string) []string { return strings.Split(set, "+") }

// kind returns the kind and training that all members of a set share, "" for mixed
// ones and for models without a card.
func (t *table) kind(set string) (kind, training string) {
	for i, m := range members(set) {
		c := t.cards[m]
		if c == nil {
			return "", ""
		}
		if i == 0 {
			kind, training = c.Kind, c.Training
		}
		if c.Kind != kind {
			kind = ""
		}
		if c.Training != training {
			training = ""
		}
	}
	return kind, training
}

// outside lists the observers that belong to none of the sets.
func (t *table) outside(sets ...string) (out []string) {
	for _, o := range t.observers {
		if !slices.ContainsFunc(sets, func(s string) bool { return slices.Contains(members(s), o) }) {
			out = append(out, o)
		}
	}
	return out
}

// recognized returns recognizability, an image a value; nil when it was not measured.
func (t *table) recognized(set, stage, observer string) []float64 {
	return t.each[cell{metamer.Recognizability, set, stage, observer}]
}

// mean accumulates differences image by image.
type mean struct {
	sum   []float64
	count []int
	n     int // comparisons
}

func newMean(images int) *mean { return &mean{make([]float64, images), make([]int, images), 0} }

// add takes Σ sign·value of each image; an image without one of the values is left out.
func (m *mean) add(plus, minus [][]float64) {
	for _, v := range append(slices.Clone(plus), minus...) {
		if v == nil {
			return
		}
	}
	m.n++
	for i := range m.sum {
		d := 0.0
		for _, v := range plus {
			d += v[i]
		}
		for _, v := range minus {
			d -= v[i]
		}
		if !math.IsNaN(d) {
			m.sum[i] += d
			m.count[i]++
		}
	}
}

func (m *mean) values() []float64 {
	out := make([]float64, len(m.sum))
	for i := range out {
		out[i] = m.sum[i] / float64(m.count[i]) // NaN for 0/0
	}
	return out
}
