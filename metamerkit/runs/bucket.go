package runs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// Bucket is the interface of an object store. Keys are separated by slashes. Put must be
// atomic: an object appears complete or not at all.
type Bucket interface {
	// Get opens an object. The error is fs.ErrNotExist when there is none.
	Get(ctx context.Context, key string) (io.ReadCloser, error)
	// Put writes the whole of a file as an object. With onlyNew the error is fs.ErrExist when there is one.
	Put(ctx context.Context, key string, f *os.File, onlyNew bool) error
	// Stat describes an object. The error is fs.ErrNotExist when there is none.
	Stat(ctx context.Context, key string) (Object, error)
	// List returns the objects whose keys begin with prefix and have no slash behind it.
	List(ctx context.Context, prefix string) ([]Object, error)
	// Delete removes an object; that there is none is no error.
	Delete(ctx context.Context, key string) error
}

// Object describes an object of a bucket.
type Object struct {
	Key      string
	Size     int64
	Modified time.Time
}

// A store in a bucket:
//
//	<id>.zip                      a run's folder: one object, so that it shows whole
//	<id>/rows/<key>.<sha256>.csv  what evaluations keep
//	checkpoints/<id>              of unfinished runs
//	damaged/<id>-<time>.zip       set aside

var buckets struct {
	sync.Mutex
	open   map[string]func(ctx context.Context, u string) (Bucket, error)
	opened map[string]Bucket
}

// Register adds a URL scheme for stores. The function open opens the bucket of a URL.
// Programs that use object stores import package bucket, which calls Register; other
// programs do not link its dependencies.
func Register(scheme string, open func(ctx context.Context, u string) (Bucket, error)) {
	buckets.Lock()
	defer buckets.Unlock()
	if buckets.open == nil {
		buckets.open, buckets.opened = map[string]func(context.Context, string) (Bucket, error){}, map[string]Bucket{}
	}
	if buckets.open[scheme] != nil {
		panic("runs: two buckets for the scheme " + scheme)
	}
	buckets.open[scheme] = open
}

// openBucket opens the bucket of a URL once a process.
func openBucket(ctx context.Context, where string) (Bucket, error) {
	scheme, _, _ := strings.Cut(where, "://")
	buckets.Lock()
	defer buckets.Unlock()
	if b := buckets.opened[where]; b != nil {
		return b, nil
	}
	open := buckets.open[scheme]
	if open == nil {
		if len(buckets.open) == 0 {
			return nil, fmt.Errorf("runs: this program opens no store at %s://: the engine and the program metamers may", scheme)
		}
		known := slices.Sorted(maps.Keys(buckets.open))
		return nil, fmt.Errorf("runs: the store %s: expected a folder, file:// or %s://", where, strings.Join(known, ":// or "))
	}
	b, err := open(ctx, where)
	if err != nil {
		return nil, fmt.Errorf("runs: opening the store %s: %w", where, err)
	}
	buckets.opened[where] = b
	return b, nil
}

func (s *Store) bucket(ctx context.Context) (Bucket, error) { return openBucket(ctx, s.URL) }

// originName is the file in the folder of a store elsewhere that says where it is, so
// that a run's folder is enough to find its store.
const originName = ".origin"

// Locate is Open without creating the folder.
func Locate(where string) (*Store, error) {
	if !strings.Contains(where, "://") {
		dir, err := filepath.Abs(where)
		if err != nil {
			return nil, fmt.Errorf("runs: %w", err)
		}
		s := &Store{Dir: dir}
		if data, err := os.ReadFile(filepath.Join(dir, originName)); err == nil {
			s.URL = strings.TrimSpace(string(data))
		}
		return s, nil
	}
	u, err := url.Parse(where)
	if err != nil {
		return nil, fmt.Errorf("runs: the store %q: %w", where, err)
	}
	if u.User != nil {
		return nil, fmt.Errorf("runs: the store %s: a user and password do not go into the URL, but into the environment or the files of the object store's own tools", u.Redacted())
	}
	if u.Scheme == "file" {
		if u.Host != "" || u.Path == "" {
			return nil, fmt.Errorf("runs: the store %q: expected file:///an/absolute/path", where)
		}
		return Locate(u.Path)
	}
	if u.Host == "" {
		return nil, fmt.Errorf("runs: the store %q: expected %s://bucket/prefix", where, u.Scheme)
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	where = u.String()
	return &Store{Dir: filepath.Join(paths.Cache(), "stores", u.Scheme+"-"+u.Hostname()+"-"+digest([]byte(where))[:16]), URL: where}, nil
}

// mark writes the origin of a store elsewhere into its folder.
func (s *Store) mark() error {
	path := filepath.Join(s.Dir, originName)
	if s.URL == "" {
		return nil
	}
	if have, err := os.ReadFile(path); err == nil && strings.TrimSpace(string(have)) == s.URL {
		return nil
	}
	return paths.WriteFile(path, func(f *os.File) error {
		_, err := fmt.Fprintln(f, s.URL)
		return err
	})
}

func objectKey(id string) string     { return id + ".zip" }
func checkpointKey(id string) string { return "checkpoints/" + id }

// fetch brings a run from the bucket into the folder. What lies there in its place,
// which is known to be damaged, is replaced.
func (s *Store) fetch(ctx context.Context, id string) (err error) {
	b, err := s.bucket(ctx)
	if err != nil {
		return err
	}
	tmp, err := s.partFolder(id)
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	file := filepath.Join(tmp, "run.zip")
	if err := download(ctx, b, objectKey(id), file); err != nil {
		return fmt.Errorf("runs: reading %s of %s: %w", objectKey(id), s.URL, err)
	}
	dir := filepath.Join(tmp, "run")
	if err := unpackFile(file, dir); err != nil {
		var bad *CorruptError
		if errors.As(err, &bad) {
			return &CorruptError{Dir: s.URL + "/" + objectKey(id), Problem: bad.Problem, remote: true}
		}
		return err
	}
	if err := syncTree(dir); err != nil {
		return fmt.Errorf("runs: %w", err)
	}
	to := filepath.Join(s.Dir, id)
	if err := os.Rename(dir, to); err == nil {
		return syncFile(s.Dir)
	}
	if verify(to) == nil { // another process has fetched it meanwhile
		return nil
	}
	old := filepath.Join(tmp, "old")
	return errors.Join(os.Rename(to, old), os.Rename(dir, to))
}

// published makes sure that a run that lies in the folder is in the bucket too: its
// maker may have been cut off from there.
func (s *Store) published(ctx context.Context, id string) error {
	if s.URL == "" {
		return nil
	}
	b, err := s.bucket(ctx)
	if err != nil {
		return err
	}
	_, err = b.Stat(ctx, objectKey(id))
	if errors.Is(err, fs.ErrNotExist) {
		err = s.upload(ctx, b, id)
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("runs: run %s is finished in %s, but not yet in %s; the same command sends it: %w", id, s.Dir, s.URL, err)
	}
	return nil
}

func (s *Store) upload(ctx context.Context, b Bucket, id string) error {
	tmp, err := s.partFolder(id)
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	file := filepath.Join(tmp, "run.zip")
	if err := paths.WriteFile(file, func(f *os.File) error { return pack(f, filepath.Join(s.Dir, id)) }); err != nil {
		return err
	}
	return putFile(ctx, b, objectKey(id), file, true)
}

// putFile writes a file as an object.
func putFile(ctx context.Context, b Bucket, key, path string, onlyNew bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return b.Put(ctx, key, f, onlyNew)
}

// send publishes a run that is finished in the folder. Where another machine was
// faster, its run replaces ours.
func (w *Work) send(run *metamer.Run) error {
	s := w.store
	if s.URL == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	failed := func(err error) error {
		return fmt.Errorf("it is finished in %s, but not yet in %s; the same command sends it: %w", s.Dir, s.URL, err)
	}
	b, err := s.bucket(ctx)
	if err != nil {
		return failed(err)
	}
	err = s.upload(ctx, b, w.ID)
	if !errors.Is(err, fs.ErrExist) {
		if err != nil {
			return failed(err)
		}
		return nil
	}
	ours := filepath.Join(s.Dir, fmt.Sprintf(".gone-%s-%d", w.ID, time.Now().UnixNano()))
	if err := os.Rename(filepath.Join(s.Dir, w.ID), ours); err != nil {
		return failed(err)
	}
	theirs, err := s.LoadContext(ctx, w.ID)
	if err != nil {
		return failed(errors.Join(err, os.Rename(ours, filepath.Join(s.Dir, w.ID))))
	}
	defer os.RemoveAll(ours)
	return w.adopt(run, theirs, ours)
}

// setAsideObject is setAside for a damaged object.
func (s *Store) setAsideObject(ctx context.Context, id string) (name string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("runs: setting the damaged run %s aside: %w", id, err)
		}
	}()
	b, err := s.bucket(ctx)
	if err != nil {
		return "", err
	}
	tmp, err := s.partFolder(id)
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	file := filepath.Join(tmp, "run.zip")
	if err := download(ctx, b, objectKey(id), file); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return "", nil
		}
		return "", err
	}
	aside := fmt.Sprintf("damaged/%s-%d.zip", id, time.Now().UnixNano())
	if err := putFile(ctx, b, aside, file, true); err != nil {
		return "", err
	}
	return aside, b.Delete(ctx, objectKey(id))
}

// download writes an object to a file, whole or not at all. The error is
// fs.ErrNotExist when there is no object.
func download(ctx context.Context, b Bucket, key, path string) error {
	r, err := b.Get(ctx, key)
	if err != nil {
		return err
	}
	defer r.Close()
	return paths.WriteFile(path, func(f *os.File) error {
		_, err := io.Copy(f, r)
		return err
	})
}

func (s *Store) removeObjects(ctx context.Context, id string) error {
	b, err := s.bucket(ctx)
	if err != nil {
		return err
	}
	rows, err := b.List(ctx, id+"/rows/")
	if err != nil {
		return err
	}
	for _, o := range append([]Object{{Key: objectKey(id)}}, rows...) {
		if err := b.Delete(ctx, o.Key); err != nil {
			return err
		}
	}
	return nil
}
