package runs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

// Checkpoint is unfinished work: named arrays and a state in JSON.
type Checkpoint struct {
	Arrays map[string][]float32
	State  json.RawMessage
}

// Save replaces the checkpoint in one rename. It ends with a digest, by which Restore
// detects a partial file.
func (w *Work) Save(c Checkpoint) error {
	kept := func(err error) error {
		return fmt.Errorf("runs: writing the checkpoint of run %s (the previous checkpoint is unchanged): %w", w.ID, err)
	}
	var ts []weights.Tensor
	for name, v := range c.Arrays {
		ts = append(ts, weights.Tensor{Name: name, Shape: []int{len(v)}, Float: v})
	}
	tmp, err := w.store.partFolder(w.ID)
	if err != nil {
		return kept(err)
	}
	defer os.RemoveAll(tmp)
	path := filepath.Join(tmp, "checkpoint")
	if err = weights.WriteSafetensors(path, ts, nil); err == nil {
		err = seal(path, c.State)
	}
	if err == nil {
		err = os.Rename(path, w.checkpointPath())
	}
	if err != nil {
		return kept(err)
	}
	if err := syncFile(w.store.Dir); err != nil {
		return fmt.Errorf("runs: writing the checkpoint of run %s: %w", w.ID, err)
	}
	w.sendCheckpoint()
	return nil
}

// seal appends the state, its length and the digest of all that. (The state has no
// place in the safetensors header, which may not be longer than 100 MiB.)
func seal(path string, state []byte) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	tail := append(slices.Clone(state), fmt.Sprintf("%016x", len(state))...)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(append(tail, digest(append(data, tail...))...))
	return errors.Join(err, f.Sync(), f.Close())
}

// Restore returns the last checkpoint, or nil if there is none. A damaged checkpoint is
// removed and reported as a warning.
func (w *Work) Restore() (c *Checkpoint, warning error) {
	w.fetchCheckpoint()
	data, err := os.ReadFile(w.checkpointPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		c, err = parseCheckpoint(data)
	}
	if err != nil {
		os.Remove(w.checkpointPath())
		return nil, fmt.Errorf("runs: the checkpoint of run %s is damaged (%v); starting again", w.ID, err)
	}
	return c, nil
}

// parseCheckpoint reads what Save wrote. The error says what is wrong with it.
func parseCheckpoint(data []byte) (*Checkpoint, error) {
	n := len(data) - 64
	if n < 0 {
		return nil, errors.New("it is cut short")
	}
	if digest(data[:n]) != string(data[n:]) {
		return nil, errors.New("its digest does not match")
	}
	end := n - 16
	length, err := strconv.ParseUint(string(data[max(end, 0):n]), 16, 63)
	if err != nil || end < 0 || length > uint64(end) {
		return nil, errors.New("it does not end as a checkpoint does")
	}
	state := data[end-int(length) : end]
	f, err := weights.Parse("checkpoint", data[:end-int(length)])
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{Arrays: map[string][]float32{}, State: json.RawMessage(state)}
	for name, t := range f.Tensors {
		c.Arrays[name] = t.Float
	}
	return c, nil
}

// checkpointPath is where unfinished work is kept.
func (w *Work) checkpointPath() string {
	return filepath.Join(w.store.Dir, "."+w.ID+".checkpoint")
}

func (w *Work) dropCheckpoint() error {
	if err := os.Remove(w.checkpointPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("runs: removing the checkpoint of run %s, which is finished: %w", w.ID, err)
	}
	w.dropSentCheckpoint()
	return nil
}
