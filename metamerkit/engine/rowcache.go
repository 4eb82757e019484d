package engine

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// rowFormat changes when a measure's definition, the model of a carried image metric or
// the form of rows does, so that rows kept by an older version are not taken for the
// new ones.
const rowFormat = 4

// rowKey is everything that rows depend on: its hash is the key that runs.KeepRows
// keeps them under.
type rowKey struct {
	Format                    int
	Run, Images               string
	Observer, Layer, Weights  string
	NoLayer, Measure, Backend string
	Similarities, Metrics     []string          `json:",omitempty"`
	Bins                      int               `json:",omitempty"`
	MinImages                 int               `json:",omitempty"` // where there are fewer
	Null                      string            `json:",omitempty"` // SHA-256 of the null set, or its name where it has none
	Bootstrap                 metamer.Bootstrap // as given: zero settings are defaults of this format
	Versions                  map[string]string
	Of                        []string `json:",omitempty"` // the rows that these are means of, by their hashes
}

// rowKey names the rows of a measure.
func (e *Engine) rowKey(q Evaluation, u unit, measure string) rowKey {
	k := rowKey{Format: rowFormat, Run: u.run.ID, Images: u.sum, Observer: u.observer.Card.Name, Layer: u.observer.Layer, Weights: u.weights, NoLayer: u.noLayer,
		Measure: measure, Backend: string(e.Backend.Kind), Bootstrap: q.Bootstrap, Versions: versions(e.Backend)}
	if metamer.OverPairs(measure) && u.refs.Len() < q.MinImages {
		k.MinImages = q.MinImages
	}
	switch measure {
	case "jsd":
		k.Similarities, k.Bins = q.Similarities, q.Bins
	case "rsa":
		k.Similarities = q.Similarities
	case "success":
		k.Null = cmp.Or(u.null.SHA256, u.null.Name)
	}
	return k
}

// rowPlace is where rows are kept: beside the run in the folder dir, which is "" for a
// run without one.
type rowPlace struct{ dir, key string }

// rowPlace returns where rows of a measure are kept.
func (e *Engine) rowPlace(q Evaluation, u unit, measure string) rowPlace {
	return e.rowKey(q, u, measure).beside(u.run)
}

func (k rowKey) beside(run *metamer.Run) rowPlace { return rowPlace{run.Dir, k.hash()} }

func (k rowKey) hash() string {
	text, err := json.Marshal(k)
	if err != nil {
		panic("engine: " + err.Error()) // no NaN in a validated Bootstrap
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// keptRows reads rows that were kept, nil if there are none. A damaged file is measured
// again, with a warning.
func (e *Engine) keptRows(at rowPlace, q Evaluation) metamer.Rows {
	if at.dir == "" || q.Anew {
		return nil
	}
	rows, err := e.loadRows(at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || len(rows) == 0 {
		q.Warn(fmt.Sprintf("engine: rows that were kept cannot be used and are measured again: %v", err))
		return nil
	}
	return rows
}

// keepRows writes rows beside their run. A folder that cannot be written only costs
// the time to measure again.
func keepRows(at rowPlace, rows metamer.Rows, q Evaluation) {
	if at.dir == "" {
		return
	}
	if err := runs.KeepRows(at.dir, at.key, rows); err != nil {
		q.Warn("engine: rows are not kept: " + err.Error())
	}
}
