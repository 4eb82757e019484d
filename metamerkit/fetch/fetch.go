// Package fetch downloads files. A file appears under its name only when it is complete
// and its checksum is correct. An interrupted download leaves NAME.part, from which the
// next call resumes.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"github.com/shirou/gopsutil/v4/disk"
)

// Request says what to download. Only URL is needed.
type Request struct {
	URL string
	// Header is sent to the host of URL alone: a redirect to another host, port or
	// scheme gets none of it.
	Header http.Header

	SHA256 string // lower-case hexadecimal, whole or its first digits; "": not known
	MD5    string // likewise, whole, where a publisher states nothing better
	Size   int64  // bytes; 0: not known

	Tries    int                     // attempts without any progress between them; default 5
	Backoff  time.Duration           // wait before the second attempt, doubled for each further one; default 1 s
	Stall    time.Duration           // an attempt that receives nothing for so long counts as cut; default 60 s
	Progress func(done, total int64) // called after each piece, total 0 if not known
	Client   *http.Client            // default: one of this package, which follows the proxy variables
}

// Result is a file that was downloaded or already stored.
type Result struct {
	SHA256 string // 64 hexadecimal digits
	Size   int64
	Stored bool // whether it was already stored, so that nothing was transferred
}

// RefusedError reports a downloaded file that has another size or checksum than the request
// states. The file is deleted.
type RefusedError struct{ URL, Path, Problem string }

func (e *RefusedError) Error() string {
	return fmt.Sprintf("fetch: %s: %s; the file was deleted", e.URL, e.Problem)
}

// StatusError reports that a server answered with another status than success.
type StatusError struct {
	URL     string
	Code    int
	Message string // the server's explanation, "" if it gives none
}

func (e *StatusError) Error() string {
	s := fmt.Sprintf("fetch: %s: the server answered %d %s", e.URL, e.Code, http.StatusText(e.Code))
	if e.Message != "" {
		s += ": " + e.Message
	}
	return s
}

// CutError reports a download that ended early, because the connection was cut or the
// download cancelled. The received bytes are in Path + ".part", and the next call resumes.
type CutError struct {
	URL, Path   string
	Done, Total int64 // bytes; Total is 0 if not known
	Cause       error
}

func (e *CutError) Error() string {
	return fmt.Sprintf("fetch: %s was cut after %d of %s bytes; the same command goes on from there: %v", e.URL, e.Done, known(e.Total), e.Cause)
}
func (e *CutError) Unwrap() error { return e.Cause }

// SpaceError reports a disk without enough space for the file.
type SpaceError struct {
	Path       string
	Need, Free uint64 // bytes
	Cause      error  // nil if the space was checked before the download
}

func (e *SpaceError) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("fetch: no space left on the disk of %s: %d more bytes are needed; make room, and the same command goes on: %v", e.Path, e.Need, e.Cause)
	}
	return fmt.Sprintf("fetch: no space on the disk of %s: %d bytes are needed, %d are free", e.Path, e.Need, e.Free)
}
func (e *SpaceError) Unwrap() error { return e.Cause }

func known(n int64) string {
	if n <= 0 {
		return "an unknown number of"
	}
	return fmt.Sprint(n)
}

// freeSpace is a variable for tests.
var freeSpace = func(dir string) (uint64, error) {
	u, err := disk.Usage(dir)
	if err != nil {
		return 0, err
	}
	return u.Free, nil
}

// File downloads a file to path, whose folder it creates if needed. A file that exists at path
// is left unchanged if it has the checksums and size of the request, and is an error otherwise:
// nothing is ever overwritten. Two processes that download to the same path do the work once.
// The errors are *RefusedError, *StatusError, *CutError and *SpaceError, besides those of the
// file system.
func File(ctx context.Context, path string, r Request) (Result, error) {
	r = r.withDefaults()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return Result{}, fmt.Errorf("fetch: %w", err)
	}
	for {
		if res, there, err := r.existing(path); there || err != nil {
			return res, err
		}
		p, err := lockPart(ctx, path)
		if err != nil {
			return Result{}, err
		}
		if p == nil {
			continue
		}
		defer p.close()
		if res, there, err := r.existing(path); there || err != nil { // another process was faster
			p.discard()
			return res, err
		}
		return r.download(ctx, path, p)
	}
}

func (r Request) withDefaults() Request {
	if r.Tries == 0 {
		r.Tries = 5
	}
	if r.Backoff == 0 {
		r.Backoff = time.Second
	}
	if r.Stall == 0 {
		r.Stall = time.Minute
	}
	if r.Progress == nil {
		r.Progress = func(int64, int64) {}
	}
	if r.Client == nil {
		r.Client = client
	}
	return r
}

// existing checks a file that is there.
func (r Request) existing(path string) (Result, bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return Result{}, false, nil
	}
	if err != nil {
		return Result{}, false, fmt.Errorf("fetch: %w", err)
	}
	defer f.Close()
	d := newDigest()
	if err := d.add(f); err != nil {
		return Result{}, false, fmt.Errorf("fetch: %s: %w", path, err)
	}
	if problem := d.check(r); problem != "" {
		return Result{}, true, fmt.Errorf("fetch: %s exists and is not the file at %s: %s; remove it to download it again", path, r.URL, problem)
	}
	return Result{d.sum(), d.n, true}, true, nil
}

// part is the unfinished file, locked.
type part struct {
	path string // of the part
	lock *flock.Flock
	f    *os.File
	gone bool // renamed or removed: a file of that name is another process's
}

// lockPart opens path.part for this process alone. It returns nil if the process that
// held the lock has renamed or removed the part meanwhile.
func lockPart(ctx context.Context, path string) (*part, error) {
	name := path + ".part"
	l := flock.New(name, flock.SetPermissions(0o666))
	if _, err := l.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		return nil, fmt.Errorf("fetch: waiting for another download of %s: %w", path, err)
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0o666)
	if err != nil {
		l.Close()
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
		return nil, fmt.Errorf("fetch: %w", err)
	}
	held, e1 := l.Stat()
	now, e2 := f.Stat()
	if e1 != nil || e2 != nil || !os.SameFile(held, now) {
		f.Close()
		l.Close()
		return nil, nil
	}
	return &part{path: name, lock: l, f: f}, nil
}

func (p *part) close() {
	if s, err := p.f.Stat(); err == nil && s.Size() == 0 { // nothing to go on from
		p.discard()
	}
	p.f.Close()
	p.lock.Close()
}

// discard removes the part and what is known about it.
func (p *part) discard() {
	if p.gone {
		return
	}
	os.Remove(p.path + ".json")
	os.Remove(p.path)
	p.gone = true
}
