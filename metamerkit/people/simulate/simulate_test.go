package simulate

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths/pathstest"
	"github.com/ensemble-metamers/metamers/metamerkit/people"
	"github.com/ensemble-metamers/metamers/metamerkit/people/answers"
	"github.com/ensemble-metamers/metamers/metamerkit/people/page"
	"github.com/ensemble-metamers/metamers/metamerkit/people/peopletest"
	"github.com/ensemble-metamers/metamers/metamerkit/people/serve"
)

// The test's own binary is the server that is killed. It has the socket from the test, so
// that no other process takes the port meanwhile.
const asServer = "METAMERS_TEST_SERVE"

func TestMain(m *testing.M) {
	folder := os.Getenv(asServer)
	if folder == "" {
		os.Exit(m.Run())
	}
	s, err := serve.New(folder, 1)
	if err == nil {
		var l net.Listener
		if l, err = net.FileListener(os.NewFile(3, "socket")); err == nil {
			err = http.Serve(l, s)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// experiment makes a small experiment with the real jsPsych.
func experiment(t *testing.T, source people.Source, change func(*people.Design)) (folder string, d *people.Design) {
	t.Helper()
	js, err := page.JSPsych(context.Background(), "")
	if err != nil {
		pathstest.Missing(t, "no jsPsych here: %v", err) // it comes from a network
	}
	settings := peopletest.Settings()
	change(&settings)
	source.Runs[0].Names = source.References.Names
	d, images, err := people.New(settings, source)
	if err != nil {
		t.Fatal(err)
	}
	folder = filepath.Join(t.TempDir(), "exp")
	if err := page.Write(folder, d, images, js); err != nil {
		t.Fatal(err)
	}
	return folder, d
}

func browser(t *testing.T, width, height int, more ...chromedp.ExecAllocatorOption) *Browser {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: no browser is started")
	}
	if _, err := Find(); err != nil {
		pathstest.Missing(t, "%v", err)
	}
	b, err := Open(context.Background(), width, height, more...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// server is a process that serves a folder, for one participant, and is killed with SIGKILL.
type server struct {
	t      *testing.T
	folder string
	socket *os.File
	cmd    *exec.Cmd
}

func (s *server) start() {
	self, err := os.Executable()
	if err != nil {
		s.t.Error(err)
		return
	}
	s.cmd = exec.Command(self)
	s.cmd.Env = append(os.Environ(), asServer+"="+s.folder)
	s.cmd.Stderr, s.cmd.ExtraFiles = os.Stderr, []*os.File{s.socket}
	if err := s.cmd.Start(); err != nil {
		s.t.Error(err)
	}
}

func (s *server) kill() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

// Participants answer through the real page while the server is killed, and every answer
// comes back: the recognizability that is read is the one of the answers.
func TestNothingIsLost(t *testing.T) {
	b := browser(t, 800, 700)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	socket, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	folder, d := experiment(t, peopletest.Source(16), func(d *people.Design) { d.Display.Calibrate = true })
	first, err := serve.New(folder, 1)
	if err != nil {
		t.Fatal(err)
	}
	link := first.Links("http://" + l.Addr().String())[0]
	first.Close()
	s := &server{t, folder, socket, nil}
	s.start()
	t.Cleanup(func() { s.kill() })
	p, err := b.Page(d, link)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	given := map[int]int{}
	err = p.Participate(context.Background(), func(i int) int {
		given[i] = (d.Stimuli[i].Answer + i%2) % len(d.Choices) // right for every other stimulus
		if n := len(given); n%4 == 0 {
			s.kill()
			s.start() // the page tries until the row is stored
		}
		return given[i]
	})
	if err != nil {
		t.Fatal(err)
	}
	data, err := answers.Load(d, []string{folder})
	if err != nil {
		t.Fatal(err)
	}
	got := data.Participants[0]
	if !got.Complete || len(got.Trials)+len(d.Practice) != len(given) {
		t.Fatalf("%d trials were stored and %d given", len(got.Trials), len(given))
	}
	for _, tr := range got.Trials {
		if tr.Choice != given[tr.Stimulus] {
			t.Errorf("stimulus %d: choice %d was stored, %d given", tr.Stimulus, tr.Choice, given[tr.Stimulus])
		}
	}
	rows, err := data.Rows(evaluate.Bootstrap{})
	if err != nil {
		t.Fatal(err)
	}
	for k, r := range rows.Overall(metamer.Recognizability) {
		right, n := 0, 0
		for i, c := range given {
			if s := d.Stimuli[i]; s.Condition == k {
				n++
				if c == s.Answer {
					right++
				}
			}
		}
		if r.Value != float64(right)/float64(n) {
			t.Errorf("condition %d: %v was read, %d of %d given", k, r.Value, right, n)
		}
	}
}

// From a file and with keys alone, participants reach the end; what is shown is the file's
// pixels, each as large as the magnification says.
func TestPixels(t *testing.T) {
	b := browser(t, 900, 701)
	folder, d := experiment(t, peopletest.Source(16), func(*people.Design) {})
	p, err := b.Page(d, (&url.URL{Scheme: "file", Path: filepath.Join(folder, "index.html")}).String()+"?participant=2")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ctx := context.Background()
	for step, looked := 0, 0; ; {
		var state string
		if state, step, err = p.Next(ctx, step); err != nil {
			t.Fatal(err)
		}
		if state == "done" {
			if looked == 0 {
				t.Error("no stimulus was looked at")
			}
			break
		}
		if state == "choice" && looked < 3 {
			looked++
			accessible(t, p, d)
			look(t, p, folder)
			if looked == 3 { // a reload goes on where it was: this trial begins anew
				if _, err := run(ctx, p, chromedp.Reload()); err != nil {
					t.Fatal(err)
				}
				step = 0
				continue
			}
		}
		if err := p.Do(ctx, state, func(i int) int { return d.Stimuli[i].Answer }); err != nil {
			t.Fatal(err)
		}
	}
	text, err := Evaluate[string](ctx, p, `rows.csv()`)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "saved.csv")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	data, err := answers.Load(d, []string{path})
	if err != nil || !data.Participants[0].Complete || data.Participants[0].Name != "2" {
		t.Errorf("the file that a participant saves: %v", err)
	}
}

// look compares a screenshot with the file of the stimulus.
func look(t *testing.T, p *Page, folder string) {
	t.Helper()
	ctx := context.Background()
	type place struct {
		Src                       string
		Left, Top, Size, PerPixel float64
	}
	at, err := Evaluate[place](ctx, p, `(async () => {
		const stage = document.querySelector(".stage"), box = stage.getBoundingClientRect();
		stage.dataset.shown = "image";
		document.querySelector(".answers").style.visibility = "hidden";
		await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
		const ratio = devicePixelRatio;
		return { Src: document.querySelector(".stimulus").getAttribute("src"), Left: box.left * ratio, Top: box.top * ratio, Size: box.width * ratio, PerPixel: fit().magnification };
	})()`)
	if err != nil {
		t.Fatal(err)
	}
	shot, err := p.Screenshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	screen, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(folder, at.Src))
	if err != nil {
		t.Fatal(err)
	}
	want, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	// Chromium has places in float32.
	whole := func(x float64) bool { return math.Abs(x-math.Round(x)) < 1e-3 }
	m, left, top, size := int(at.PerPixel), int(math.Round(at.Left)), int(math.Round(at.Top)), int(math.Round(at.Size))
	if float64(m) != at.PerPixel || size != m*want.Bounds().Dx() || !whole(at.Left) || !whole(at.Top) || !whole(at.Size) {
		t.Fatalf("the image lies at %+v, expected whole pixels", at)
	}
	for y := range size {
		for x := range size {
			r1, g1, b1, _ := screen.At(left+x, top+y).RGBA()
			r2, g2, b2, _ := want.At(x/m, y/m).RGBA()
			if r1 != r2 || g1 != g2 || b1 != b2 {
				t.Fatalf("%s: pixel %d, %d of the screen is %d %d %d, expected %d %d %d", at.Src, x, y, r1>>8, g1>>8, b1>>8, r2>>8, g2>>8, b2>>8)
			}
		}
	}
	if _, err := Evaluate[string](ctx, p, `document.querySelector(".answers").style.visibility = document.querySelector(".stage").dataset.shown = ""`); err != nil {
		t.Fatal(err)
	}
}

// accessible looks at what a screen reader has of a choice: the main part, a group with a
// question, and a button for each choice with its key.
func accessible(t *testing.T, p *Page, d *people.Design) {
	t.Helper()
	tree, err := run(context.Background(), p, func(ctx context.Context, target *chromedp.Target) (accessibility.GetFullAXTreeResult, error) {
		return cdp.Call(ctx, target, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	})
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, n := range tree.Nodes {
		if !n.Ignored && n.Role != nil && n.Name != nil {
			seen = append(seen, fmt.Sprintf("%s %s", n.Role.Value, n.Name.Value))
		}
	}
	want := []string{`"main" ""`, `"group" "What did you see?"`}
	for _, c := range d.Choices {
		want = append(want, fmt.Sprintf(`"button" "%s %s"`, strings.ToUpper(c.Key), c.Name))
	}
	for _, w := range want {
		if !slices.Contains(seen, w) {
			t.Errorf("the tree has no %s: %q", w, seen)
		}
	}
}
