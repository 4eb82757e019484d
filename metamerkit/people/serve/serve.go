// Package serve is the server of an experiment in a lab: one link a participant, each row
// on the disk before the page goes on.
package serve

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"github.com/gofrs/flock"

	"github.com/ensemble-metamers/metamers/metamerkit/people"
	"github.com/ensemble-metamers/metamers/metamerkit/people/page"
)

// Server serves the folder of an experiment. It is a handler of requests.
type Server struct {
	Notes  []string // what a reader of the server's output should know
	folder string
	design *people.Design
	sha256 string
	served map[string]bool
	tokens map[string]*participant
	order  []*participant
	lock   *flock.Flock

	sessions sync.Mutex // held while the sessions file is written
}

// New opens an experiment for at least so many participants. One server at a time serves
// a folder.
func New(folder string, participants int) (*Server, error) {
	d, err := people.Load(folder)
	if err != nil {
		return nil, err
	}
	s := &Server{folder: folder, design: d, sha256: d.SHA256(), served: page.Served(d), tokens: map[string]*participant{}, lock: flock.New(filepath.Join(folder, ".lock"))}
	if ok, err := s.lock.TryLock(); err != nil || !ok {
		return nil, errors.Join(fmt.Errorf("experiment: %s is served by another process", folder), err)
	}
	if err := s.open(participants); err != nil {
		s.lock.Close()
		return nil, err
	}
	return s, nil
}

// Close lets another process serve the folder.
func (s *Server) Close() error {
	for _, p := range s.order {
		p.close()
	}
	return s.lock.Close()
}

// Links are the addresses of the participants, in order of their numbers.
func (s *Server) Links(base string) []string {
	out := make([]string, len(s.order))
	for i, p := range s.order {
		out[i] = strings.TrimSuffix(base, "/") + "/p/" + p.token + "/"
	}
	return out
}

// Progress tells how many participants have begun and how many are done.
func (s *Server) Progress() (begun, done int) {
	for _, p := range s.order {
		p.mu.Lock()
		if len(p.lines) > 0 {
			begun++
		}
		if p.done() {
			done++
		}
		p.mu.Unlock()
	}
	return begun, done
}

const cookie = "metamers-session"

// ServeHTTP answers /p/TOKEN/FILE and POST /p/TOKEN/rows, and nothing else.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src data:; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer") // the address has the token
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	rest, ok := strings.CutPrefix(r.URL.Path, "/p/")
	token, name, slash := strings.Cut(rest, "/")
	p := s.tokens[token]
	if !ok || p == nil {
		http.Error(w, "There is nothing here. Please use the link that you were given.", http.StatusNotFound)
		return
	}
	key := ""
	if c, err := r.Cookie(cookie); err == nil && len(c.Value) >= 20 {
		key = c.Value
	}
	if code, why := p.refuses(key); code != 0 && r.Method != http.MethodPost {
		http.Error(w, why, code)
		return
	}
	switch {
	case r.Method == http.MethodPost && name == "rows":
		s.post(w, r, p, key)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		http.Error(w, "The page is read with GET.", http.StatusMethodNotAllowed)
	case !slash:
		http.Redirect(w, r, "/p/"+token+"/", http.StatusSeeOther)
	case name == "" || name == "index.html":
		if key == "" {
			http.SetCookie(w, &http.Cookie{Name: cookie, Value: rand.Text(), Path: "/p/" + token + "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: 30 * 24 * 3600})
		}
		s.file(w, r, "index.html")
	case name == "session.js":
		s.session(w, p)
	case s.served[name]:
		s.file(w, r, name)
	default:
		http.Error(w, "There is no such file.", http.StatusNotFound)
	}
}

func (s *Server) file(w http.ResponseWriter, r *http.Request, name string) {
	f, err := os.Open(filepath.Join(s.folder, filepath.FromSlash(name)))
	if err != nil {
		http.Error(w, "A file of the experiment is missing.", http.StatusInternalServerError)
		return
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		http.Error(w, "A file of the experiment is missing.", http.StatusInternalServerError)
		return
	}
	http.ServeContent(w, r, path.Base(name), st.ModTime(), f)
}

// session tells the page whose it is and what is stored.
func (s *Server) session(w http.ResponseWriter, p *participant) {
	p.mu.Lock()
	rows := []string{}
	for _, l := range p.lines {
		rows = append(rows, l.Text)
	}
	p.mu.Unlock()
	data, err := json.Marshal(map[string]any{"participant": p.number, "rows": rows})
	if err != nil {
		panic("serve: " + err.Error()) // of strings: never
	}
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	fmt.Fprintf(w, "window.session = %s;\n", data)
}

// post appends a row and answers when it is on the disk.
func (s *Server) post(w http.ResponseWriter, r *http.Request, p *participant, key string) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 16<<10))
	if err != nil {
		http.Error(w, "The row could not be read.", http.StatusBadRequest)
		return
	}
	if code, why := p.add(s, string(text), key); code != 0 {
		http.Error(w, why, code)
		return
	}
	fmt.Fprintln(w, "stored")
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
