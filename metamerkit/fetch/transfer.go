package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// client has limits for everything but the body, which attempt watches over.
var client = &http.Client{Transport: func() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = time.Minute
	return t
}()}

// past is what is known about the bytes of a part: those of one version of one URL.
type past struct {
	URL  string `json:"url"`
	ETag string `json:"etag,omitempty"` // a strong one
	Size int64  `json:"size,omitempty"`
}

// download brings the file and moves it to path.
func (r Request) download(ctx context.Context, path string, p *part) (Result, error) {
	var was past
	if text, err := os.ReadFile(p.path + ".json"); err == nil {
		json.Unmarshal(text, &was) // unreadable: begin anew
	}
	d := newDigest()
	// Bytes whose version nobody knows can be gone on with only if a sum will tell.
	if was.URL == r.URL && (was.ETag != "" || r.SHA256 != "" || r.MD5 != "") {
		if err := d.add(p.f); err != nil {
			return Result{}, fmt.Errorf("fetch: %s: %w", p.path, err)
		}
	} else {
		was = past{URL: r.URL}
		if err := p.restart(&d); err != nil {
			return Result{}, err
		}
	}
	resumed := d.n > 0
	wait := r.Backoff
	for try := 1; ; try++ {
		before := d.n
		err := r.attempt(ctx, p, &d, &was)
		if err == nil {
			if problem := d.check(r); problem != "" {
				if resumed && !isHTML(d.head) { // the old bytes may be to blame: once more from the beginning
					resumed, try, was = false, 0, past{URL: r.URL}
					if err := p.restart(&d); err != nil {
						return Result{}, err
					}
					continue
				}
				p.discard()
				return Result{}, &RefusedError{r.URL, path, problem}
			}
			return r.finish(path, p, d)
		}
		var again *retryError
		if !errors.As(err, &again) || ctx.Err() != nil {
			if ctx.Err() != nil {
				err = &CutError{r.URL, path, d.n, max(was.Size, r.Size), ctx.Err()}
			} else if errors.As(err, new(*RefusedError)) {
				p.discard()
			}
			return Result{}, err
		}
		if d.n > before { // it goes forward
			try, wait = 1, r.Backoff
		}
		if try >= r.Tries {
			if s := (*StatusError)(nil); errors.As(again.cause, &s) {
				return Result{}, s
			}
			return Result{}, &CutError{r.URL, path, d.n, max(was.Size, r.Size), again.cause}
		}
		pause := max(wait/2+rand.N(wait), again.after)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		wait = min(2*wait, time.Minute)
	}
}

// restart empties the part.
func (p *part) restart(d **digest) error {
	*d = newDigest()
	os.Remove(p.path + ".json")
	_, err := p.f.Seek(0, io.SeekStart)
	if err == nil {
		err = p.f.Truncate(0)
	}
	if err != nil {
		return fmt.Errorf("fetch: %w", err)
	}
	return nil
}

// retryError is an error that another attempt may not have.
type retryError struct {
	cause error
	after time.Duration // how long the server wants the client to wait
}

func (e *retryError) Error() string { return e.cause.Error() }
func (e *retryError) Unwrap() error { return e.cause }

// attempt requests the missing bytes and appends them to the part.
func (r Request) attempt(ctx context.Context, p *part, d **digest, was *past) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(r.Stall, func() { cancel(fmt.Errorf("nothing came for %v", r.Stall)) })
	defer watch.Stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.URL, nil)
	if err != nil {
		return fmt.Errorf("fetch: %w", err)
	}
	Carry(req, r.Header)
	req.Header.Set("Accept-Encoding", "identity")
	if (*d).n > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", (*d).n))
		if was.ETag != "" {
			req.Header.Set("If-Range", was.ETag)
		}
	}
	resp, err := bound(r.Client).Do(req)
	if err != nil {
		var refused *redirectError
		if errors.As(err, &refused) {
			return fmt.Errorf("fetch: %s: %w", r.URL, refused)
		}
		return &retryError{cause: err}
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && (*d).n > 0:
		if _, total := contentRange(resp); total == (*d).n {
			return nil // all of it is there; the sums decide
		}
		*was = past{URL: r.URL}
		if err := p.restart(d); err != nil {
			return err
		}
		return &retryError{cause: Status(r.URL, resp)}
	case resp.StatusCode == http.StatusPartialContent:
		from, total := contentRange(resp)
		if from != (*d).n {
			*was = past{URL: r.URL}
			if err := p.restart(d); err != nil {
				return err
			}
			return &retryError{cause: fmt.Errorf("the server sent bytes from %d, another range was requested", from)}
		}
		was.Size = total
	case resp.StatusCode == http.StatusOK:
		if (*d).n > 0 { // another version, or a server without ranges
			if err := p.restart(d); err != nil {
				return err
			}
		}
		was.Size = max(resp.ContentLength, 0)
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusRequestTimeout || resp.StatusCode >= 500:
		return &retryError{cause: Status(r.URL, resp), after: retryAfter(resp)}
	default:
		return Status(r.URL, resp)
	}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind == "text/html" {
		return &RefusedError{r.URL, p.path, "it brought an HTML page in place of the file"}
	}
	if was.Size > 0 && r.Size > 0 && was.Size != r.Size {
		word := "a short file"
		if was.Size > r.Size {
			word = "too long a file"
		}
		return &RefusedError{r.URL, p.path, fmt.Sprintf("%s: the server has %d bytes, expected %d", word, was.Size, r.Size)}
	}
	was.ETag = ""
	if tag := resp.Header.Get("ETag"); !strings.HasPrefix(tag, "W/") {
		was.ETag = tag
	}
	if err := p.remember(*was); err != nil {
		return err
	}
	if need := uint64(max(was.Size-(*d).n, 0)); need > 0 {
		if free, err := freeSpace(filepath.Dir(p.path)); err == nil && free < need {
			return &SpaceError{Path: p.path, Need: need, Free: free}
		}
	}
	return r.copy(ctx, resp.Body, p, *d, was.Size, watch)
}

// copy writes a body behind what is there.
func (r Request) copy(ctx context.Context, body io.Reader, p *part, d *digest, total int64, watch *time.Timer) error {
	if _, err := p.f.Seek(d.n, io.SeekStart); err != nil {
		return fmt.Errorf("fetch: %w", err)
	}
	buf := make([]byte, 256<<10)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			watch.Reset(r.Stall)
			if w, e := write(p.f, buf[:n]); e != nil {
				d.Write(buf[:w])
				if errors.Is(e, syscall.ENOSPC) || errors.Is(e, syscall.EDQUOT) {
					return &SpaceError{Path: p.path, Need: uint64(max(total-d.n, 0)), Cause: e}
				}
				return fmt.Errorf("fetch: %w", e)
			}
			d.Write(buf[:n])
			r.Progress(d.n, total)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			if c := context.Cause(ctx); c != nil {
				err = c
			}
			return &retryError{cause: err}
		}
	}
}

// write is a variable for tests.
var write = func(f *os.File, b []byte) (int, error) { return f.Write(b) }

// finish gives the file its name.
func (r Request) finish(path string, p *part, d *digest) (Result, error) {
	err := p.f.Sync()
	if err == nil {
		os.Remove(p.path + ".json") // while the part is locked
		err = os.Rename(p.path, path)
	}
	if err != nil {
		return Result{}, fmt.Errorf("fetch: %w", err)
	}
	p.gone = true
	return Result{SHA256: d.sum(), Size: d.n}, nil
}

func (p *part) remember(was past) error {
	text, err := json.Marshal(was)
	if err == nil {
		err = os.WriteFile(p.path+".json", text, 0o666)
	}
	if err != nil {
		return fmt.Errorf("fetch: %w", err)
	}
	return nil
}

// contentRange reads "bytes FROM-TO/TOTAL" and "bytes */TOTAL"; what is missing is -1.
func contentRange(resp *http.Response) (from, total int64) {
	from, total = -1, -1
	span, size, ok := strings.Cut(strings.TrimPrefix(resp.Header.Get("Content-Range"), "bytes "), "/")
	if !ok {
		return
	}
	if n, err := strconv.ParseInt(size, 10, 64); err == nil {
		total = n
	}
	if a, _, ok := strings.Cut(span, "-"); ok {
		if n, err := strconv.ParseInt(a, 10, 64); err == nil {
			from = n
		}
	}
	return
}

// retryAfter reads the header of that name, at most two minutes.
func retryAfter(resp *http.Response) time.Duration {
	v := resp.Header.Get("Retry-After")
	if n, err := strconv.Atoi(v); err == nil && n > 0 {
		return min(time.Duration(n)*time.Second, 2*time.Minute)
	}
	if t, err := http.ParseTime(v); err == nil {
		return min(max(time.Until(t), 0), 2*time.Minute)
	}
	return 0
}

// sameOrigin compares scheme, host and port.
func sameOrigin(a, b *url.URL) bool {
	port := func(u *url.URL) string {
		if p := u.Port(); p != "" {
			return p
		}
		return map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}
