package runs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

// Checkpoint is unfinished work: named float arrays, and anything else as JSON.
type Checkpoint struct {
	Arrays map[string][]float32
	State  json.RawMessage
}

// Save replaces the checkpoint, in one rename. Its last bytes are a digest, so
// that Restore knows a torn one.
func (w *Work) Save(c Checkpoint) error {
	var ts []weights.Tensor
	for name, v := range c.Arrays {
		ts = append(ts, weights.Tensor{Name: name, Shape: []int{len(v)}, Float: v})
	}
	path := w.checkpointPath()
	if err := weights.WriteSafetensors(path+".new", ts, map[string]string{"state": string(c.State)}); err != nil {
		return fmt.Errorf("runs: checkpoint of run %s: %w", w.ID, err)
	}
	digest, err := sum(path + ".new")
	if err != nil {
		return fmt.Errorf("runs: checkpoint of run %s: %w", w.ID, err)
	}
	f, err := os.OpenFile(path+".new", os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(digest)
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("runs: checkpoint of run %s: %w", w.ID, err)
	}
	return nil
}

// Restore returns the last checkpoint, nil if there is none. A damaged one is
// removed and reported as a warning: the work begins anew.
func (w *Work) Restore() (c *Checkpoint, warning error) {
	data, err := os.ReadFile(w.checkpointPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	bad := func(why any) error {
		os.Remove(w.checkpointPath())
		return fmt.Errorf("runs: the checkpoint of run %s is damaged (%v); beginning anew", w.ID, why)
	}
	if err != nil {
		return nil, bad(err)
	}
	n := len(data) - 64
	if n < 0 {
		return nil, bad("it is cut short")
	}
	if got := digest(data[:n]); !strings.EqualFold(got, string(data[n:])) {
		return nil, bad("its digest does not match")
	}
	f, err := weights.Parse(w.checkpointPath(), data[:n])
	if err != nil {
		return nil, bad(err)
	}
	c = &Checkpoint{Arrays: map[string][]float32{}, State: json.RawMessage(f.Metadata["state"])}
	for name, t := range f.Tensors {
		c.Arrays[name] = t.Float
	}
	return c, nil
}
