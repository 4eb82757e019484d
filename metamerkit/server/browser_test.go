package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/client"
	"github.com/ensemble-metamers/metamers/metamerkit/paths/pathstest"
)

// page tries all that a page can: %[1]s is the engine's address, %[2]s its token (as if
// the page knew it), %[3]s a name of another host that leads to the engine.
const page = `<!doctype html><iframe name="f"></iframe><script>
const E = "http://%[1]s", T = "Bearer %[2]s", R = "http://%[3]s", gob = "application/x-metamers-gob", out = {}
const ask = async (name, url, o) => {
  try {
    const r = await fetch(url, {signal: AbortSignal.timeout(5000), ...o})
    out[name] = r.type == "opaque" ? "opaque" : r.status + " " + await r.text()
  } catch (e) { out[name] = "refused" }
}
const tag = (kind, url) => new Promise(done => {
  const t = document.createElement(kind)
  t.onload = t.onerror = done
  t.src = url
  document.body.append(t)
  setTimeout(done, 2000)
})
onload = async () => {
  await ask("read", E + "/v1/hello", {})
  await ask("read with the token", E + "/v1/hello", {headers: {Authorization: T}})
  await ask("stop, simple", E + "/v1/stop", {method: "POST", mode: "no-cors", body: "x"})
  await ask("stop", E + "/v1/stop", {method: "POST", headers: {Authorization: T, "Content-Type": gob}, body: "x"})
  await ask("rebound", R + "/v1/hello", {mode: "no-cors"})
  await ask("rebound stop", R + "/v1/stop", {method: "POST", mode: "no-cors", body: "x"})
  navigator.sendBeacon(E + "/v1/stop", new Blob(["x"], {type: "text/plain"}))
  for (const kind of ["img", "script", "iframe"]) await tag(kind, E + "/v1/hello")
  await new Promise(done => {
    const w = new WebSocket("ws://%[1]s/v1/hold")
    w.onopen = () => { out.socket = "200 open"; done() }
    w.onerror = done
    setTimeout(done, 2000)
  })
  for (const url of [E, R]) {
    const f = document.createElement("form")
    Object.assign(f, {method: "POST", enctype: "text/plain", action: url + "/v1/stop", target: "f"})
    document.body.append(f)
    f.submit()
    await new Promise(done => setTimeout(done, 500))
  }
  await fetch("/report", {method: "POST", body: JSON.stringify(out)})
}
</script>`

// counted is a listener that counts who comes.
type counted struct {
	net.Listener
	n atomic.Int64
}

func (c *counted) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.n.Add(1)
	}
	return conn, err
}

// driven is an engine that nobody may drive while a page tries to.
type driven struct {
	service
	n atomic.Int64
}

func (d *driven) Do(ctx context.Context, q api.Request, show func(api.Event)) (*api.Reply, error) {
	d.n.Add(1)
	return d.service.Do(ctx, q, show)
}

// A page in the user's own browser, a real one, neither reads the engine nor drives it,
// even if it knows address and token and a name of its own leads there.
func TestBrowser(t *testing.T) {
	browser, err := exec.LookPath("chromium")
	if err != nil {
		pathstest.Missing(t, "no chromium")
	}
	plain, token, err := ListenTCP(":0")
	if err != nil {
		t.Fatal(err)
	}
	l, e := &counted{Listener: plain}, &driven{}
	serveOn(t, e, l, token)
	_, port, _ := net.SplitHostPort(l.Addr().String())

	report := make(chan map[string]string, 1)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(w, page, l.Addr(), token, net.JoinHostPort("rebound.example", port))
		case "/report":
			var got map[string]string
			if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
				t.Error(err)
			}
			report <- got
		}
	}))
	defer site.Close()
	profile, err := os.MkdirTemp("", "browser")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(profile) // killed processes of the browser may still write there
	open, end := context.WithTimeout(context.Background(), 10*time.Minute)
	defer end()
	c := exec.CommandContext(open, browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage", "--user-data-dir="+profile,
		"--host-resolver-rules=MAP rebound.example 127.0.0.1", "--remote-debugging-port=0", site.URL)
	c.WaitDelay = 5 * time.Second
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its processes end with it
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	select {
	case got = <-report:
	case <-open.Done():
	}
	end()
	_ = c.Wait() // killed
	if got == nil {
		t.Fatal("the browser did not carry out the page within ten minutes")
	}
	t.Logf("%d connections; the page says %v", l.n.Load(), got)
	if len(got) < 6 || l.n.Load() < 2 {
		t.Errorf("%d connections came, the page says %v: it did not try", l.n.Load(), got)
	}
	for name, answer := range got {
		if answer != "refused" && answer != "opaque" {
			t.Errorf("%s: the page got %q", name, answer)
		}
	}
	if e.n.Load() != 0 {
		t.Errorf("the page drove the engine %d times", e.n.Load())
	}
	cl := &client.Client{Address: "tcp:" + l.Addr().String(), Token: token}
	if _, err := cl.Do(context.Background(), asked("late"), nothing); err != nil || e.n.Load() != 1 {
		t.Errorf("after the page the engine does not serve its user: %v", err)
	}
}
