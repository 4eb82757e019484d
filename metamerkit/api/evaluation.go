package api

import (
	"fmt"
	"slices"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Measures are the groups of measures that Evaluate takes (docs/evaluation.md):
//
//	recognizability  the observer's class for the metamer against that for the reference
//	success          the metamer's activations against the null distribution; of runs against
//	                 other models also apart, of variants how far they are from each
//	                 other (docs/against.md)
//	jsd, cka, rsa    representational similarity of references and of metamers
//	metrics          image metrics of metamers and of references, without an observer
var Measures = []string{"recognizability", "success", "jsd", "cka", "rsa", "metrics"}

// Evaluation says what to measure. With runs alone it means every measure of each run, by
// every available model with the same classes.
type Evaluation struct {
	Runs []*metamer.Run
	// Images are the references of all runs; nil: each run's are opened again by the name in
	// its recipe, and must have the recipe's SHA-256.
	Images *metamer.ImageSet
	// NullName is the null set of the match statistics, NoNull for none; "": that of each
	// run, and DefaultNull for runs that name none. Null, if given, is the set itself.
	NullName string
	Null     *metamer.ImageSet
	// Observers are models by name or alias; nil: the runs' members, and all available
	// models with the labels of the first member.
	Observers    []string
	Measures     []string // of Measures; nil: all
	Similarities []string // of metamer.Similarities; nil: pearson
	Metrics      []string // image metrics by name; nil: all that need no file
	Bins         int      // of JSD, default metamer.DefaultBins
	MinImages    int      // JSD, CKA and RSA of fewer images are NaN with the reason, default metamer.MinImages
	Bootstrap    metamer.Bootstrap
	Batch        int   // images in a batch, default 16
	Memory       int64 // largest memory of activations in bytes, default 2 GiB
	Anew         bool  // measure again instead of reading stored rows
	Progress     func(metamer.Progress)
	Warn         func(string)
}

// WithDefaults returns q with its zero values filled in.
func (q Evaluation) WithDefaults() Evaluation {
	if q.Measures == nil {
		q.Measures = Measures
	}
	if q.Similarities == nil {
		q.Similarities = []string{"pearson"}
	}
	if q.Bins == 0 {
		q.Bins = metamer.DefaultBins
	}
	if q.MinImages == 0 {
		q.MinImages = metamer.MinImages
	}
	if q.Batch == 0 {
		q.Batch = 16
	}
	if q.Memory == 0 {
		q.Memory = 2 << 30
	}
	if q.Progress == nil {
		q.Progress = func(metamer.Progress) {}
	}
	if q.Warn == nil {
		q.Warn = func(string) {}
	}
	return q
}

// Validate returns an error for the first of these that it finds: no runs, an unknown measure
// or similarity (a *metamer.UnknownError), less than 2 bins, or a batch or memory below 1. It
// does not check Bootstrap.
func (q Evaluation) Validate() error {
	if len(q.Runs) == 0 {
		return fmt.Errorf("evaluation: no runs to evaluate")
	}
	for _, m := range q.Measures {
		if !slices.Contains(Measures, m) {
			return fmt.Errorf("evaluation: %w", metamer.Unknown("measure", m, Measures))
		}
	}
	for _, s := range q.Similarities {
		if !slices.Contains(metamer.Similarities, s) {
			return fmt.Errorf("evaluation: %w", metamer.Unknown("similarity", s, metamer.Similarities))
		}
	}
	if q.Bins < 2 || q.Batch < 1 || q.Memory < 1 {
		return fmt.Errorf("evaluation: %d bins, batch of %d, %d bytes of memory: expected at least 2, 1 and 1", q.Bins, q.Batch, q.Memory)
	}
	return nil
}
