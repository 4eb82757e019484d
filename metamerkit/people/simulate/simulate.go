// Package simulate answers experiments as simulated participants, through the real page in
// a headless Chromium: it reads the page, presses keys and clicks, as a person does.
package simulate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/ensemble-metamers/metamers/metamerkit/people"
)

// ErrNoBrowser is the error of Open where no Chromium is installed.
var ErrNoBrowser = errors.New("no Chromium: install one (apt-get install chromium), or name it with CHROMIUM")

// Find returns the path of a Chromium or Chrome.
func Find() (string, error) {
	if p := os.Getenv("CHROMIUM"); p != "" {
		return exec.LookPath(p)
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "headless_shell"} {
		if p, err := exec.LookPath(name); err == nil {
			return p, nil
		}
	}
	return "", ErrNoBrowser
}

// Browser is a running headless Chromium.
type Browser struct {
	ctx  context.Context
	stop func()
}

// Open starts a browser whose windows have a size in CSS pixels, with further options of
// its process. Close ends it.
func Open(ctx context.Context, width, height int, more ...chromedp.ExecAllocatorOption) (*Browser, error) {
	at, err := Find()
	if err != nil {
		return nil, fmt.Errorf("simulate: %w", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(at), chromedp.WindowSize(width, height), chromedp.WSURLReadTimeout(2*time.Minute),
		chromedp.Flag("disable-renderer-backgrounding", true), chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("disable-backgrounding-occluded-windows", true))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses to run as root with its sandbox
	}
	ctx, stopProcess := chromedp.NewExecAllocator(ctx, append(options, more...)...)
	ctx, stopBrowser := chromedp.NewContext(ctx)
	b := &Browser{ctx, func() { stopBrowser(); stopProcess() }}
	if _, err := chromedp.Run(ctx, chromedp.Navigate("about:blank")); err != nil {
		b.stop()
		return nil, fmt.Errorf("simulate: starting %s: %w", at, err)
	}
	return b, nil
}

// Close ends the browser.
func (b *Browser) Close() { b.stop() }

// Answerer gives the choice for a stimulus, both as indices in the design.
type Answerer func(stimulus int) int

// Page is the page of one participant.
type Page struct {
	ctx    context.Context
	design *people.Design
	shown  map[view]int // stimuli by how they look
	stop   func()
}

// view is what a participant sees of a trial: the files of its images, and on which side
// the stimulus is (0: left) where there are two sides, else 0.
type view struct {
	Stimulus, Other string
	Side            int
}

// views lists how the stimuli of a design look.
func views(d *people.Design) map[view]int {
	out := map[view]int{}
	for i, s := range d.Stimuli {
		v := view{Stimulus: path.Base(s.Path)}
		if s.Other != nil {
			v.Other = path.Base(s.Other.Path)
		}
		if d.Task == people.MoreNatural {
			v.Side = s.Answer
		}
		out[v] = i
	}
	return out
}

// Page opens an experiment for a participant, with cookies and storage of its own.
func (b *Browser) Page(design *people.Design, address string) (*Page, error) {
	ctx, stop := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	p := &Page{ctx, design, views(design), stop}
	if _, err := chromedp.Run(ctx, chromedp.Navigate(address)); err != nil {
		stop()
		return nil, fmt.Errorf("simulate: %s: %w", address, err)
	}
	return p, nil
}

// Close closes the page.
func (p *Page) Close() { p.stop() }

// states in which the page waits for the participant, or has ended.
const waiting = `["consent","instructions","calibration","ready","break","choice","feedback","done","failed","refused","declined"]`

// Next waits until the page asks for something that comes after a step, and returns what
// and which step that is. The first step is 1.
func (p *Page) Next(ctx context.Context, after int) (state string, step int, err error) {
	type now struct {
		State string
		Step  int
	}
	n, err := Evaluate[now](ctx, p, fmt.Sprintf(`new Promise(done => { const look = () => {
		const { state, step } = document.body.dataset;
		%s.includes(state) && step > %d ? done({ State: state, Step: Number(step) }) : setTimeout(look, 2);
	}; look(); })`, waiting, after))
	return n.State, n.Step, err
}

// Evaluate runs a script in the page and returns its value, that of a promise when it is
// there.
func Evaluate[T any](ctx context.Context, p *Page, js string) (T, error) {
	return run(ctx, p, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
}

// Screenshot returns a PNG of the window.
func (p *Page) Screenshot(ctx context.Context) ([]byte, error) {
	return run(ctx, p, chromedp.CaptureScreenshot())
}

func (p *Page) press(ctx context.Context, keys string) error {
	_, err := run(ctx, p, chromedp.KeyEvent(keys))
	return err
}

// run carries an action out until ctx ends.
func run[T any](ctx context.Context, p *Page, a chromedp.Action[T]) (T, error) {
	inner, stop := context.WithCancel(p.ctx)
	defer stop()
	defer context.AfterFunc(ctx, stop)()
	v, err := chromedp.Run(inner, a)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return v, err
}

// Do does what the page asks for in a state, with keys alone.
func (p *Page) Do(ctx context.Context, state string, answer Answerer) error {
	switch state {
	case "consent", "ready", "break":
		return p.press(ctx, kb.Enter)
	case "instructions":
		for range p.design.Texts.Instructions {
			if err := p.press(ctx, kb.ArrowRight); err != nil {
				return err
			}
		}
		return nil
	case "calibration":
		return p.calibrate(ctx)
	case "feedback":
		return p.press(ctx, " ")
	case "choice":
		v, err := Evaluate[view](ctx, p, `(() => {
			const image = document.querySelector(".stage .stimulus"), other = document.querySelector(".stage .other");
			const file = i => i ? new URL(i.src).pathname.split("/").pop() : "";
			return { Stimulus: file(image), Other: file(other), Side: image.parentElement.previousElementSibling?.className === "slot" ? 1 : 0 };
		})()`)
		if err != nil {
			return err
		}
		i, ok := p.shown[v]
		if !ok {
			return fmt.Errorf("simulate: the page shows %+v, which is no stimulus of the design", v)
		}
		return p.press(ctx, p.design.Choices[answer(i)].Key)
	}
	text, err := Evaluate[string](ctx, p, `document.body.innerText`)
	if err != nil {
		return err
	}
	return fmt.Errorf("simulate: the page is %s: %.300s", state, strings.TrimSpace(text))
}

// calibrate makes the box a card wide and presses the space bar for the blind spot.
func (p *Page) calibrate(ctx context.Context) error {
	keys := []string{kb.ArrowUp, kb.ArrowRight, kb.Enter}
	for range 5 { // the ball moves, then it disappears
		keys = append(keys, " ", " ")
	}
	for _, k := range append(keys, kb.Tab, kb.Tab, kb.Enter) { // behind the button that measures anew
		if err := p.press(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

// Participate answers until the experiment is done.
func (p *Page) Participate(ctx context.Context, answer Answerer) error {
	for step := 0; ; {
		var state string
		var err error
		if state, step, err = p.Next(ctx, step); err != nil || state == "done" {
			return err
		}
		if err := p.Do(ctx, state, answer); err != nil {
			return err
		}
	}
}
