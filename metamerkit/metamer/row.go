package metamer

import "math"

// Row is one measured value, in long form: what every evaluation gives and every
// figure and table reads. Rows go to CSV, one a line (see WriteRows).
type Row struct {
	Run      string  // the run's ID, "" for references
	Set      string  // model names of the set, sorted as in the recipe, joined by "+"
	Stage    string  // early | middle | late, or a layer by its own name; "" for image metrics of references
	Observer string  // model that evaluates; "" for image metrics
	Member   bool    // whether the observer belongs to the set
	Image    int     // index in the image set; -1: over all images
	Measure  string  // such as "same-class", "jsd/pearson", "niqe" (docs/evaluation.md)
	Value    float64 // NaN: not defined, and Reason says why
	Low      float64 // bounds of the 95 % interval if Image is -1 and an interval was requested, else NaN
	High     float64
	Count    int    // number of images of the value: 1 for one image; 0 if there is no value
	Reason   string // why Value, or a requested interval, is NaN, else ""
	Name     string // of the image, such as its file's; "" over all images, and in rows of before
	Made     *Made  // how the metamers were made, shared by the rows of a run; nil: not known
}

// Rows are the results of an evaluation.
type Rows []Row

// Where returns the rows for which keep is true.
func (r Rows) Where(keep func(Row) bool) Rows {
	var out Rows
	for _, row := range r {
		if keep(row) {
			out = append(out, row)
		}
	}
	return out
}

// Overall returns the rows of a measure over all images.
func (r Rows) Overall(measure string) Rows {
	return r.Where(func(row Row) bool { return row.Measure == measure && row.Image < 0 })
}

// PerImage returns the rows of a measure for single images.
func (r Rows) PerImage(measure string) Rows {
	return r.Where(func(row Row) bool { return row.Measure == measure && row.Image >= 0 })
}

// Equal reports whether two rows are the same; NaN equals NaN.
func (r Row) Equal(o Row) bool {
	for _, p := range []struct{ a, b *float64 }{{&r.Value, &o.Value}, {&r.Low, &o.Low}, {&r.High, &o.High}} {
		if math.IsNaN(*p.a) && math.IsNaN(*p.b) {
			*p.a, *p.b = 0, 0
		}
	}
	if (r.Made == nil) != (o.Made == nil) || r.Made != nil && *r.Made != *o.Made {
		return false
	}
	r.Made, o.Made = nil, nil
	return r == o
}

// Measures that figures look for, and the observers that stand for several.
const (
	Recognizability = "recognizability" // share of images given the reference's class
	// Recognizability16 is the same in ImageNet's 16 categories.
	Recognizability16 = "recognizability-16"
	JSD               = "jsd/pearson" // bits
	// NoiseCeiling is how well one half of the participants predicts the other's ranks.
	NoiseCeiling = "noise-ceiling"

	Members    = "members"     // mean over the set's own members
	NonMembers = "non-members" // mean over all other observers
	People     = "people"      // the participants of an experiment (docs/people.md)
)
