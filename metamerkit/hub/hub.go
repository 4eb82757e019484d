// Package hub downloads files of the Hugging Face hub into the cache that Python's
// huggingface_hub also uses: the same folders, links and settings
// (HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_TOKEN_PATH, HF_ENDPOINT, HF_HUB_OFFLINE).
// Why not go-huggingface's hub package: docs/notes/upstream.md.
package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/fetch"
)

// Settings are the settings of a client of the hub.
type Settings struct {
	Endpoint string // such as https://huggingface.co
	Cache    string // folder of the repositories
	Token    string // "" for none
	Offline  bool   // send no requests
}

// FromEnv reads the variables that huggingface_hub reads.
func FromEnv() Settings {
	first := func(values ...string) string {
		for _, v := range values {
			if v != "" {
				return v
			}
		}
		return ""
	}
	user, err := os.UserHomeDir()
	if err != nil {
		user = os.TempDir()
	}
	expand := func(p string) string {
		if rest, ok := strings.CutPrefix(p, "~/"); ok {
			return filepath.Join(user, rest)
		}
		return p
	}
	on := func(name string) bool {
		switch strings.ToUpper(os.Getenv(name)) {
		case "1", "ON", "YES", "TRUE":
			return true
		}
		return false
	}
	home := expand(first(os.Getenv("HF_HOME"), filepath.Join(first(os.Getenv("XDG_CACHE_HOME"), filepath.Join(user, ".cache")), "huggingface")))
	s := Settings{
		Endpoint: strings.TrimRight(first(os.Getenv("HF_ENDPOINT"), "https://huggingface.co"), "/"),
		Cache:    expand(first(os.Getenv("HF_HUB_CACHE"), os.Getenv("HUGGINGFACE_HUB_CACHE"), filepath.Join(home, "hub"))),
		Token:    strings.TrimSpace(first(os.Getenv("HF_TOKEN"), os.Getenv("HUGGING_FACE_HUB_TOKEN"))),
		Offline:  on("HF_HUB_OFFLINE") || on("TRANSFORMERS_OFFLINE"),
	}
	if s.Token == "" && !on("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
		if text, err := os.ReadFile(expand(first(os.Getenv("HF_TOKEN_PATH"), filepath.Join(home, "token")))); err == nil {
			s.Token = strings.TrimSpace(string(text))
		}
	}
	return s
}

// File names a file of a model repository.
type File struct {
	Repo     string // such as timm/resnet50.a1_in1k
	Revision string // a commit, branch or tag; "": main
	Name     string // such as model.safetensors
}

func (f File) String() string { return fmt.Sprintf("%s of %s at %s", f.Name, f.Repo, f.revision()) }

func (f File) revision() string {
	if f.Revision == "" {
		return "main"
	}
	return f.Revision
}

var (
	repoName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?$`)
	commitID = regexp.MustCompile(`^[0-9a-f]{40}$`)
	revision = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]*$`)
	tagText  = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)
	sha256ID = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

func (f File) validate() error {
	if !repoName.MatchString(f.Repo) || !revision.MatchString(f.revision()) || strings.Contains(f.revision(), "..") || !filepath.IsLocal(f.Name) || strings.Contains(f.Name, "\\") {
		return fmt.Errorf("hub: %q, revision %q, file %q: expected OWNER/NAME, a commit, branch or tag, and a path inside the repository", f.Repo, f.Revision, f.Name)
	}
	return nil
}

func (s Settings) folder(f File) string {
	return filepath.Join(s.Cache, "models--"+strings.ReplaceAll(f.Repo, "/", "--"))
}

// Find returns the path of a file in the cache and its commit, without a request. It is not ok
// if the file is not in the cache.
func (s Settings) Find(f File) (path, commit string, ok bool) {
	if f.validate() != nil {
		return "", "", false
	}
	commit = f.revision()
	if !commitID.MatchString(commit) {
		text, err := os.ReadFile(filepath.Join(s.folder(f), "refs", commit))
		if commit = strings.TrimSpace(string(text)); err != nil || !commitID.MatchString(commit) {
			return "", "", false
		}
	}
	path = filepath.Join(s.folder(f), "snapshots", commit, f.Name)
	if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() {
		return "", "", false
	}
	return path, commit, true
}

// Stated is what the hub states about a file.
type Stated struct {
	Commit string
	ETag   string // without quotes; of files in LFS the SHA-256
	SHA256 string // "" for files outside LFS, whose ETag is another sum
	Size   int64  // 0 if not stated
}

// State requests the commit, checksum and size of a file. Offline, it is an error.
func (s Settings) State(ctx context.Context, f File) (Stated, error) {
	var out Stated
	if err := f.validate(); err != nil {
		return out, err
	}
	if s.Offline {
		return out, fmt.Errorf("hub: %s is not in the cache %s, and HF_HUB_OFFLINE forbids requests to the hub", f, s.Cache)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, s.url(f), nil)
	if err != nil {
		return out, fmt.Errorf("hub: %w", err)
	}
	fetch.Carry(req, s.header())
	req.Header.Set("Accept-Encoding", "identity")
	// Redirects inside the hub (renamed repositories) are followed; where one leads to
	// the storage, the hub's own answer is what counts.
	client := *http.DefaultClient
	client.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if len(via) > 5 || r.URL.Host != via[0].URL.Host || r.URL.Scheme != via[0].URL.Scheme {
			return http.ErrUseLastResponse
		}
		return nil
	}
	resp, err := client.Do(req)
	if err != nil {
		return out, fmt.Errorf("hub: requesting %s: %w", f, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 400 {
		return out, s.explain(f, fetch.Status(s.url(f), resp))
	}
	out.Commit = resp.Header.Get("X-Repo-Commit")
	out.ETag = resp.Header.Get("X-Linked-Etag")
	size := resp.Header.Get("X-Linked-Size")
	if out.ETag == "" {
		out.ETag = resp.Header.Get("ETag")
	}
	if size == "" && resp.StatusCode == http.StatusOK {
		size = resp.Header.Get("Content-Length")
	}
	out.ETag = strings.Trim(strings.TrimPrefix(out.ETag, "W/"), `"`)
	if !commitID.MatchString(out.Commit) || !tagText.MatchString(out.ETag) {
		return out, fmt.Errorf("hub: %s states the commit %.100q and the ETag %.100q of %s: that is no Hugging Face hub", s.Endpoint, out.Commit, out.ETag, f)
	}
	if n, err := strconv.ParseInt(size, 10, 64); err == nil && n > 0 {
		out.Size = n
	}
	if sha256ID.MatchString(out.ETag) {
		out.SHA256 = out.ETag
	}
	return out, nil
}

func (s Settings) url(f File) string {
	return fmt.Sprintf("%s/%s/resolve/%s/%s", s.Endpoint, f.Repo, url.PathEscape(f.revision()), (&url.URL{Path: filepath.ToSlash(f.Name)}).EscapedPath())
}

func (s Settings) header() http.Header {
	h := http.Header{"User-Agent": {"metamers"}}
	if s.Token != "" {
		h.Set("Authorization", "Bearer "+s.Token)
	}
	return h
}

// explain says what to do about an answer.
func (s Settings) explain(f File, err error) error {
	var status *fetch.StatusError
	if !errors.As(err, &status) {
		return fmt.Errorf("hub: %s: %w", f, err)
	}
	advice := ""
	switch status.Code {
	case http.StatusUnauthorized, http.StatusForbidden:
		advice = "; the repository is private, gated or missing: set HF_TOKEN to a token that may read it (and accept its terms on its page)"
		if s.Token != "" {
			advice = "; the token that is set may not read it: accept the repository's terms on its page, or set HF_TOKEN to another"
		}
	case http.StatusNotFound:
		advice = "; there is no such repository, revision or file"
	case http.StatusTooManyRequests:
		advice = "; wait a while, or set HF_TOKEN: the hub allows known users more requests"
	}
	return fmt.Errorf("hub: %s: %w%s", f, err, advice)
}
