package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/train/optimizer"

	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

// checkpointFile is the name of a training's checkpoint in its folder.
const checkpointFile = "checkpoint.safetensors"

// state is what a checkpoint holds besides tensors.
type state struct {
	Identity string  `json:"identity"` // of card, options and data
	Step     int     `json:"step"`     // taken
	Clock    float64 `json:"clock"`    // share of the schedule that Within had passed
	Method   string  `json:"method"`   // in use; after a fallback not that of the options
	Seconds  float64 `json:"seconds"`
	// Sums over the epoch under way.
	Loss     float64  `json:"loss"`
	Accuracy float64  `json:"accuracy"`
	Counted  int      `json:"counted"`
	Points   []Point  `json:"points"`
	Events   []string `json:"events,omitempty"`
	Devices  []string `json:"devices,omitempty"` // that computed so far
}

// identity is everything that determines a training, for people to read.
func (j *job) identity() string {
	text, err := json.Marshal(struct {
		Family  string
		Config  json.RawMessage
		Input   any
		Options Options
		Data    string
	}{j.Card.Family, j.Card.Config, j.Card.Input, j.o, j.Train.SHA256()})
	if err != nil {
		panic("train: " + err.Error())
	}
	return string(text)
}

// save writes the checkpoint, under another name first.
func (j *job) save() error {
	s := j.state
	s.Identity, s.Seconds = j.identity(), j.seconds()
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("train: checkpoint: %w", err)
	}
	var ts []weights.Tensor
	for v := range j.store.IterVariables() {
		if !j.saved(v.Path()) {
			continue
		}
		t, err := v.Value()
		if err != nil {
			return fmt.Errorf("train: checkpoint: %s: %w", v.Path(), err)
		}
		flat, err := tensors.CopyFlatData[float32](t)
		if err != nil {
			return fmt.Errorf("train: checkpoint: %s: %w", v.Path(), err)
		}
		ts = append(ts, weights.Tensor{Name: v.Path(), Shape: v.Shape().Dimensions, Float: flat})
	}
	return weights.WriteSafetensors(filepath.Join(j.Dir, checkpointFile), ts, map[string]string{"state": string(text)})
}

// saved says whether a variable belongs into a checkpoint: those of the model, its
// optimiser and its average, none of the data and of GoMLX's metrics.
func (j *job) saved(path string) bool {
	for _, p := range []string{slotPath, secondPath, averagePath} {
		path = strings.TrimPrefix(path, p)
	}
	for _, p := range j.paths {
		if p == path {
			return true
		}
	}
	return false
}

// restore takes up the checkpoint, if there is one.
func (j *job) restore() error {
	if j.Dir == "" {
		return nil
	}
	if err := os.MkdirAll(j.Dir, 0o755); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	path := filepath.Join(j.Dir, checkpointFile)
	f, err := weights.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("train: the checkpoint cannot be read (remove it to start again): %w", err)
	}
	var s state
	if err := json.Unmarshal([]byte(f.Metadata["state"]), &s); err != nil {
		return fmt.Errorf("train: %s: its state cannot be read (remove it to start again): %w", path, err)
	}
	if id := j.identity(); s.Identity != id {
		return fmt.Errorf("train: %s is of another training: it has %s, this one %s; use another folder or remove it", path, s.Identity, id)
	}
	for v := range j.store.IterVariables() {
		if !j.saved(v.Path()) {
			continue
		}
		t := f.Tensors[v.Path()]
		if t == nil || len(t.Float) != v.Shape().Size() {
			return fmt.Errorf("train: %s: tensor %s is missing or of another size (remove the file to start again)", path, v.Path())
		}
		if err := v.SetValue(tensors.FromFlatDataAndDimensions(t.Float, v.Shape().Dimensions...)); err != nil {
			return fmt.Errorf("train: %s: %w", path, err)
		}
	}
	if _, err := j.store.CreateVariable("/"+optimizer.GlobalStepVariableName, tensors.FromScalar(int64(s.Step))); err != nil {
		return fmt.Errorf("train: %s: %w", path, err)
	}
	j.state = s
	return nil
}
