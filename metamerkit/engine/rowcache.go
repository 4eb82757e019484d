package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// rowFormat changes when a measure's definition, the model of a carried image metric or
// the form of rows does, so that rows kept by an older version are not taken for the
// new ones.
const rowFormat = 3

// rowKey is everything that rows depend on: its hash names the file that keeps them,
// rows/<hash>.csv in the run's folder.
type rowKey struct {
	Format                    int
	Run, Images               string
	Observer, Layer, Weights  string
	NoLayer, Measure, Backend string
	Similarities, Metrics     []string           `json:",omitempty"`
	Bins                      int                `json:",omitempty"`
	NullPairs                 int                `json:",omitempty"`
	Bootstrap                 evaluate.Bootstrap // as given: zero settings are defaults of this format
	Versions                  map[string]string
	Of                        []string `json:",omitempty"` // the rows that these are means of, by their hashes
}

// rowKey names the rows of a measure.
func (e *Engine) rowKey(q Evaluation, u unit, measure string) rowKey {
	k := rowKey{Format: rowFormat, Run: u.run.ID, Images: u.sum, Observer: u.judge.Card.Name, Layer: u.judge.Layer, Weights: u.weights, NoLayer: u.noLayer,
		Measure: measure, Backend: string(e.Backend.Kind), Bootstrap: q.Bootstrap, Versions: versions(e.Backend)}
	switch measure {
	case "jsd":
		k.Similarities, k.Bins = q.Similarities, q.Bins
	case "rsa":
		k.Similarities = q.Similarities
	case "success":
		k.NullPairs = u.run.Recipe.NullPairs
	}
	return k
}

// rowPath returns where rows of a measure are kept, "" for a run without a folder.
func (e *Engine) rowPath(q Evaluation, u unit, measure string) string {
	return e.rowKey(q, u, measure).path(u.run)
}

func (k rowKey) path(run *metamer.Run) string {
	if run.Dir == "" {
		return ""
	}
	return filepath.Join(run.Dir, "rows", k.hash()+".csv")
}

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
func keptRows(path string, q Evaluation) metamer.Rows {
	if path == "" || q.Anew {
		return nil
	}
	rows, err := metamer.LoadRows(path)
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
func keepRows(path string, rows metamer.Rows, q Evaluation) {
	if path == "" {
		return
	}
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = metamer.SaveRows(path, rows)
	}
	if err != nil {
		q.Warn("engine: rows are not kept: " + err.Error())
	}
}
