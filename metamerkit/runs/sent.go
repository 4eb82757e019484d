package runs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// Checkpoints of a store in a bucket lie there too, so that another machine goes on.
// Nothing that goes wrong with that ends the work: the folder has its own.

const checkpointPatience = 2 * time.Minute

func (w *Work) elsewhere(what string, do func(ctx context.Context, b Bucket) error) {
	if w.store.URL == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), checkpointPatience)
	defer cancel()
	b, err := w.store.bucket(ctx)
	if err == nil {
		err = do(ctx, b)
	}
	if err != nil {
		w.note(fmt.Sprintf("%s the checkpoint of run %s in %s: %v", what, w.ID, w.store.URL, err))
	}
}

func (w *Work) sendCheckpoint() {
	w.elsewhere("writing", func(ctx context.Context, b Bucket) error {
		return putFile(ctx, b, checkpointKey(w.ID), w.checkpointPath(), false)
	})
}

// fetchCheckpoint brings the bucket's checkpoint where it is whole and newer than
// what is here.
func (w *Work) fetchCheckpoint() {
	w.elsewhere("reading", func(ctx context.Context, b Bucket) error {
		there, err := b.Stat(ctx, checkpointKey(w.ID))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if here, err := os.Stat(w.checkpointPath()); err == nil && here.ModTime().After(there.Modified) {
			return nil
		}
		r, err := b.Get(ctx, checkpointKey(w.ID))
		if err != nil {
			return err
		}
		defer r.Close()
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if _, err := parseCheckpoint(data); err != nil {
			return fmt.Errorf("it is damaged: %w", err)
		}
		return paths.WriteBytes(w.checkpointPath(), data)
	})
}

func (w *Work) dropSentCheckpoint() {
	w.elsewhere("removing", func(ctx context.Context, b Bucket) error { return b.Delete(ctx, checkpointKey(w.ID)) })
}
