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

// A rowFile names the file of rows in the folder of a run, which is "" for a run that is not
// stored.
type rowFile struct{ dir, key string }

// rowFile returns the file of the rows of a measure.
func (e *Engine) rowFile(q Evaluation, u unit, measure string) rowFile {
	return e.rowKey(q, u, measure).beside(u.run)
}

func (k rowKey) beside(run *metamer.Run) rowFile { return rowFile{run.Dir, k.hash()} }

func (k rowKey) hash() string {
	text, err := json.Marshal(k)
	if err != nil {
		panic("engine: " + err.Error()) // no NaN in a validated Bootstrap
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// storedRows reads stored rows; it returns nil if there are none. Rows of a damaged file are
// measured again, with a warning.
func (e *Engine) storedRows(at rowFile, q Evaluation) metamer.Rows {
	if at.dir == "" || q.Anew {
		return nil
	}
	rows, err := e.loadRows(at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || len(rows) == 0 {
		q.Warn(fmt.Sprintf("engine: stored rows cannot be read and are measured again: %v", err))
		return nil
	}
	return rows
}

// storeRows writes rows into the folder of their run. If it cannot, they are measured again
// next time.
func storeRows(at rowFile, rows metamer.Rows, q Evaluation) {
	if at.dir == "" {
		return
	}
	if err := runs.KeepRows(at.dir, at.key, rows); err != nil {
		q.Warn("engine: rows are not stored: " + err.Error())
	}
}
