package runs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// publish renames a whole temporary folder to the run's name, and sends it to the
// object store if the store is one. Where another process was faster, its run stays
// and becomes the caller's.
func (w *Work) publish(tmp string, run *metamer.Run) error {
	dir := filepath.Join(w.store.Dir, w.ID)
	for try := 0; ; try++ {
		err := os.Rename(tmp, dir)
		if err == nil {
			break
		}
		if _, gone := os.Stat(dir); gone != nil {
			return err
		}
		// A network folder may report the failure of a rename that was done, when the
		// server's answer was lost and the request repeated: that is a run like ours too.
		theirs, bad := w.store.local(w.ID)
		if bad == nil {
			if err := w.adopt(run, theirs, tmp); err != nil {
				return err
			}
			break
		}
		var corrupt *CorruptError
		if try > 0 || !errors.As(bad, &corrupt) {
			return errors.Join(err, bad)
		}
		aside, err := w.store.setAside(context.Background(), w.ID, corrupt)
		if err != nil {
			return err
		}
		w.note(fmt.Sprintf("%v; it was set aside as %s", bad, aside))
	}
	if err := syncFile(w.store.Dir); err != nil {
		return err
	}
	return w.send(run)
}

// adopt makes run the one in the store, and says so where its pixels are others: two
// processes of one recipe agree to the bit on the CPU, not always on a GPU.
func (w *Work) adopt(run, theirs *metamer.Run, tmp string) error {
	ours, err := readManifest(tmp)
	if err == nil {
		kept, err := readManifest(theirs.Dir)
		if err != nil {
			return err
		}
		switch {
		case maps.Equal(ours.Files, kept.Files):
		case ours.Files["metamers.safetensors"] == kept.Files["metamers.safetensors"]:
			w.note(fmt.Sprintf("run %s was made by another process at the same time, to the same bits; its folder stays", w.ID))
		default:
			w.note(fmt.Sprintf("run %s was made by another process at the same time, with other last bits; its folder stays", w.ID))
		}
	}
	*run = *theirs
	return nil
}

// local reads a run from the folder only.
func (s *Store) local(id string) (*metamer.Run, error) {
	dir := filepath.Join(s.Dir, id)
	if err := verify(dir); err != nil {
		return nil, err
	}
	return read(id, dir)
}

// note tells the user something that does not end the work.
func (w *Work) note(text string) {
	if w.Warn != nil {
		w.Warn("runs: " + text)
		return
	}
	w.Notes = append(w.Notes, text)
}
