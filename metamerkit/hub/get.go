package hub

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/fetch"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

// Got is a file in the cache.
type Got struct {
	Path   string // in the snapshot
	Commit string
	SHA256 string
	Size   int64
	Stored bool // nothing was transferred
}

// Get brings a file into the cache, unless it is there, and checks it against sum
// (its SHA-256 or the first digits of it, "" if not known) and against what the hub
// states. A revision that is a commit and in the cache needs no hub.
func (s Settings) Get(ctx context.Context, f File, sum string, progress func(done, total int64)) (Got, error) {
	if err := f.validate(); err != nil {
		return Got{}, err
	}
	if commitID.MatchString(f.revision()) || s.Offline {
		if path, commit, ok := s.Find(f); ok {
			return verified(path, commit, sum)
		}
	}
	stated, err := s.State(ctx, f)
	if err != nil {
		return Got{}, err
	}
	if commitID.MatchString(f.revision()) && stated.Commit != f.revision() {
		return Got{}, fmt.Errorf("hub: %s was requested, but the hub answered with the commit %s", f, stated.Commit)
	}
	if !agree(stated.SHA256, sum) {
		return Got{}, fmt.Errorf("hub: %s has a wrong checksum: the hub states SHA-256 %s, expected %s; it was not downloaded", f, stated.SHA256, sum)
	}
	at := File{f.Repo, stated.Commit, f.Name}
	blob := filepath.Join(s.folder(f), "blobs", stated.ETag)
	want := sum
	if stated.SHA256 != "" {
		want = stated.SHA256
	}
	res, err := fetch.File(ctx, blob, fetch.Request{URL: s.url(at), Header: s.header(), SHA256: want, Size: stated.Size, Progress: progress})
	if err != nil {
		return Got{}, s.explain(f, err)
	}
	path, err := s.link(at, blob)
	if err == nil && !commitID.MatchString(f.revision()) {
		err = replace(filepath.Join(s.folder(f), "refs", f.revision()), func(p string) error { return os.WriteFile(p, []byte(stated.Commit), 0o666) })
	}
	if err != nil {
		return Got{}, fmt.Errorf("hub: %w", err)
	}
	return Got{path, stated.Commit, res.SHA256, res.Size, res.Stored}, nil
}

// agree says whether a sum that was stated and one that is expected, whole or in
// their first digits, may be the same.
func agree(stated, expected string) bool {
	return stated == "" || strings.HasPrefix(stated, expected)
}

func verified(path, commit, sum string) (Got, error) {
	got, err := weights.Sum(path)
	if err != nil {
		return Got{}, err
	}
	if !strings.HasPrefix(got, sum) {
		return Got{}, &weights.ChecksumError{Path: path, Got: got, Want: sum}
	}
	st, err := os.Stat(path)
	if err != nil {
		return Got{}, fmt.Errorf("hub: %w", err)
	}
	return Got{path, commit, got, st.Size(), true}, nil
}

// link makes the snapshot's link to the blob, relative as huggingface_hub makes it.
func (s Settings) link(f File, blob string) (string, error) {
	path := filepath.Join(s.folder(f), "snapshots", f.Revision, f.Name)
	to, err := filepath.Rel(filepath.Dir(path), blob)
	if err != nil {
		return "", err
	}
	if have, err := os.Readlink(path); err == nil && have == to {
		return path, nil
	}
	return path, replace(path, func(p string) error { return os.Symlink(to, p) })
}

// replace makes a file under a temporary name and renames it.
func replace(path string, write func(temporary string) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".metamers.*")
	if err != nil {
		return err
	}
	temporary := filepath.Join(dir, filepath.Base(path))
	if err = write(temporary); err == nil {
		err = os.Rename(temporary, path)
	}
	return errors.Join(err, os.RemoveAll(dir))
}
