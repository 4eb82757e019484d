package serve

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/people"
	"github.com/ensemble-metamers/metamers/metamerkit/people/page"
	"github.com/ensemble-metamers/metamers/metamerkit/people/peopletest"
)

func experiment(t *testing.T) (folder string, d *people.Design) {
	t.Helper()
	d, images, err := people.New(peopletest.Settings(), peopletest.Source(16))
	if err != nil {
		t.Fatal(err)
	}
	folder = filepath.Join(t.TempDir(), "exp")
	if err := page.Write(folder, d, images, nil); err != nil {
		t.Fatal(err)
	}
	return folder, d
}

// client is a browser of its own.
func client(t *testing.T) *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Error(err)
	}
	return &http.Client{Jar: jar}
}

func get(t *testing.T, c *http.Client, url string) (int, string) {
	t.Helper()
	r, err := c.Get(url)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	return r.StatusCode, string(b)
}

func post(t *testing.T, c *http.Client, url, row string) int {
	t.Helper()
	r, err := c.Post(url+"rows", "text/plain", strings.NewReader(row))
	if err != nil {
		t.Error(err)
		return 0
	}
	r.Body.Close()
	return r.StatusCode
}

func open(t *testing.T, folder string, participants int) (*Server, *httptest.Server) {
	t.Helper()
	s, err := New(folder, participants)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(func() { h.Close(); s.Close() })
	return s, h
}

// Only files of the page are served, only to those with a link, and no data.
func TestOnlyThePage(t *testing.T) {
	folder, d := experiment(t)
	s, h := open(t, folder, 2)
	link := s.Links(h.URL)[0]
	c := client(t)
	for path, want := range map[string]int{
		link: 200, link + "rows.js": 200, link + d.Stimuli[0].Path: 200, strings.TrimSuffix(link, "/"): 200,
		link + "design.json": 404, link + "data/": 404, link + "links.csv": 404, link + "stimuli/": 404, link + "..%2f..%2fetc%2fpasswd": 404, link + "/etc/passwd": 404, link + "psychopy.csv": 404,
		h.URL: 404, h.URL + "/index.html": 404, h.URL + "/p/": 404, h.URL + "/p/wrong/": 404, h.URL + "/data/" + d.FileName(1): 404,
	} {
		if got, text := get(t, c, path); got != want {
			t.Errorf("%s: status %d, expected %d: %.60s", path, got, want, text)
		}
	}
	if _, err := New(folder, 2); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("two servers of a folder: %v", err)
	}
}

// A link belongs to the browser that began, goes on after a reload and a restart, and ends.
func TestLinkIsUsedOnce(t *testing.T) {
	folder, d := experiment(t)
	s, h := open(t, folder, 1)
	link := s.Links(h.URL)[0]
	mine, other := client(t), client(t)
	lines := strings.Split(strings.TrimSpace(peopletest.File(d, 1, func(int) int { return 0 })), "\n")[1:]
	for _, c := range []*http.Client{mine, other} {
		if code, _ := get(t, c, link); code != 200 {
			t.Fatalf("status %d", code)
		}
	}
	steps := []struct {
		name string
		c    *http.Client
		row  string
		want int
	}{
		{"second row first", mine, lines[1], 400},
		{"first row", mine, lines[0], 200},
		{"again, its answer was lost", mine, lines[0], 200},
		{"other browser", other, lines[1], 409},
		{"no browser", &http.Client{}, lines[1], 409},
		{"changed", mine, strings.Replace(lines[1], "noise", "voice", 1) + "x", 400},
		{"second row", mine, lines[1], 200},
		{"two rows", mine, lines[2] + "\n" + lines[3], 400},
		{"far too long", mine, strings.Repeat("x", 20<<10), 400},
	}
	for _, st := range steps {
		if got := post(t, st.c, link, st.row); got != st.want {
			t.Errorf("%s: status %d, expected %d", st.name, got, st.want)
		}
	}
	if code, _ := get(t, other, link); code != 409 {
		t.Errorf("another browser got status %d", code)
	}
	h.Close()
	s.Close()
	s, h2 := open(t, folder, 3)
	if len(s.Links("")) != 3 || s.Links(h.URL)[0] != link {
		t.Error("a restart changed the links")
	}
	link2 := s.Links(h2.URL)[0]
	moved := client(t) // cookies do not depend on the port, but on the host, which is the same
	moved.Jar = mine.Jar
	if code, text := get(t, moved, link2+"session.js"); code != 200 || strings.Count(text, d.SHA256()) != 2 {
		t.Errorf("after a restart: status %d, %d rows", code, strings.Count(text, d.SHA256()))
	}
	for _, l := range lines[2:] {
		if got := post(t, moved, link2, l); got != 200 {
			t.Fatalf("status %d for %s", got, l)
		}
	}
	if code, text := get(t, moved, link2); code != 410 || !strings.Contains(text, "Thank you") {
		t.Errorf("the link still works: status %d", code)
	}
	if got := post(t, moved, link2, lines[0]+"x"); got != 410 {
		t.Errorf("a row behind the end: status %d", got)
	}
	data, err := os.ReadFile(filepath.Join(folder, "data", d.FileName(1)))
	if want := people.Header() + "\n" + strings.Join(lines, "\n") + "\n"; err != nil || string(data) != want {
		t.Errorf("the file differs from what was sent (%v)", err)
	}
}

// A hundred participants at once lose nothing.
func TestHundredParticipants(t *testing.T) {
	folder, d := experiment(t)
	const n, rows = 100, 2
	s, h := open(t, folder, n)
	file := func(i int) []string {
		return strings.SplitAfter(peopletest.File(d, i+1, func(int) int { return i % 4 }), "\n")[:rows+1]
	}
	var all sync.WaitGroup
	for i, link := range s.Links(h.URL) {
		all.Go(func() {
			c := client(t)
			get(t, c, link)
			for _, l := range file(i)[1:] {
				if got := post(t, c, link, strings.TrimSpace(l)); got != 200 {
					t.Errorf("participant %d: status %d", i+1, got)
				}
			}
		})
	}
	all.Wait()
	if begun, done := s.Progress(); begun != n || done != 0 {
		t.Errorf("%d began, %d are done", begun, done)
	}
	for i := range n {
		data, err := os.ReadFile(filepath.Join(folder, "data", d.FileName(i+1)))
		if err != nil || string(data) != strings.Join(file(i), "") {
			t.Errorf("participant %d: the file differs (%v)", i+1, err)
		}
	}
}

// What a kill leaves of a line is cut off; a changed line is an error that names it.
func TestDamagedFile(t *testing.T) {
	folder, d := experiment(t)
	path := filepath.Join(folder, "data", d.FileName(1))
	whole := peopletest.File(d, 1, func(int) int { return 0 })
	torn := len(whole) - 40
	if err := os.WriteFile(path, []byte(whole[:torn]), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := New(folder, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Notes) != 1 || s.order[0].done() || len(s.order[0].lines) != strings.Count(whole, "\n")-2 {
		t.Errorf("notes %v, %d rows", s.Notes, len(s.order[0].lines))
	}
	s.Close()
	if got, err := os.ReadFile(path); err != nil || string(got) != whole[:strings.LastIndex(whole[:torn], "\n")+1] {
		t.Errorf("the file was cut wrongly (%v)", err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(whole, "catch", "trial", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	line := 1 + strings.Count(whole[:strings.Index(whole, "catch")], "\n")
	if _, err := New(folder, 1); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("line %d", line)) {
		t.Errorf("error %v, expected one of line %d", err, line)
	}
}
