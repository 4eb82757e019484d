package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/people"
	"github.com/ensemble-metamers/metamers/metamerkit/people/answers"
	"github.com/ensemble-metamers/metamers/metamerkit/people/serve"
	"github.com/ensemble-metamers/metamers/metamerkit/people/simulate"
)

type experimentSimulateCmd struct {
	Folder       string        `arg:"" help:"Folder of an experiment." type:"existingdir"`
	Observer     string        `required:"" help:"Model whose classes the participants see." placeholder:"MODEL" predictor:"models"`
	Out          string        `required:"" help:"New folder for a copy of the experiment with the simulated answers, so that these never mix with people's." type:"path" placeholder:"FOLDER"`
	Participants int           `default:"20" help:"Number of participants."`
	Lapse        float64       `default:"0.05" help:"Share of trials in which a participant guesses."`
	Reaction     time.Duration `default:"400ms" help:"Mean time of an answer."`
	Parallel     int           `default:"4" help:"Number of participants at the same time."`
	Seed         uint64        `help:"Random seed for lapses and times."`
}

func (c *experimentSimulateCmd) Help() string {
	return `Each participant opens a link of the lab's server in a window of a headless Chromium, reads
the page and presses keys. The answers are then read as those of people are, and the
recognizability is printed beside the network's own.

Example:
  metamers experiment simulate exp --observer resnet8_48.mm_c10 --out simulated`
}

func (c *experimentSimulateCmd) Run(ctx context.Context, g *globals) error {
	if c.Participants < 1 || c.Parallel < 1 || !(c.Lapse >= 0 && c.Lapse <= 1) || c.Reaction < 0 {
		return fmt.Errorf("--participants %d, --parallel %d, --lapse %v, --reaction %v: expected numbers from 1, a share of trials and a time", c.Participants, c.Parallel, c.Lapse, c.Reaction)
	}
	d, err := people.Load(c.Folder)
	if err != nil {
		return err
	}
	if _, err := simulate.Find(); err != nil {
		return fmt.Errorf("experiment: %w", err)
	}
	choices, err := c.choices(g, d)
	if err != nil {
		return err
	}
	if err := copyExperiment(c.Folder, c.Out); err != nil {
		return err
	}
	s, err := serve.New(c.Out, c.Participants)
	if err != nil {
		return err
	}
	defer s.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("experiment: %w", err)
	}
	server := &http.Server{Handler: s}
	go server.Serve(l)
	defer server.Close()
	b, err := simulate.Open(ctx, 1280, 900)
	if err != nil {
		return err
	}
	defer b.Close()
	sim := &simulate.Participants{Design: d, Choices: choices, Lapse: c.Lapse, Reaction: c.Reaction, Seed: c.Seed}
	bar := newCountBar(g, "simulation", "participants done", c.Participants)
	defer bar.clear()
	var mu sync.Mutex
	n := 0
	err = sim.Run(ctx, b, s.Links("http://"+l.Addr().String()), c.Parallel, func() {
		mu.Lock()
		defer mu.Unlock()
		n++
		bar.set(n)
	})
	bar.clear()
	if err != nil {
		return err
	}
	return c.report(g, sim)
}

// choices are what the model takes the stimuli for, as indices of the design's choices.
func (c *experimentSimulateCmd) choices(g *globals, d *people.Design) ([]int, error) {
	var files []string
	for _, s := range d.Stimuli {
		if f := filepath.Join(c.Folder, filepath.FromSlash(s.Path)); !slices.Contains(files, f) {
			files = append(files, f)
		}
	}
	set, err := images.Open(files, images.Options{Size: d.Images.Size})
	if err != nil {
		return nil, err
	}
	if set.Len() != len(files) {
		return nil, fmt.Errorf("experiment: %d of the %d stimuli could be opened", set.Len(), len(files))
	}
	order := map[string]int{} // sets may order files by name
	for i, name := range set.Names {
		order[name] = i
	}
	e, err := g.engine()
	if err != nil {
		return nil, err
	}
	classes, err := classesBy(e, c.Observer, set)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(d.Choices))
	for i, ch := range d.Choices {
		names[i] = ch.Name
	}
	if !slices.Equal(names, classes.Names) {
		return nil, fmt.Errorf("experiment: %s has the classes %.100q…, expected the choices of the design, %.100q…", c.Observer, classes.Names, names)
	}
	out := make([]int, len(d.Stimuli))
	for i, s := range d.Stimuli {
		base := filepath.Base(s.Path)
		k, ok := order[base[:len(base)-len(filepath.Ext(base))]]
		if !ok {
			return nil, fmt.Errorf("experiment: stimulus %s was not opened", s.Path)
		}
		out[i] = classes.Answer[k]
	}
	return out, nil
}

// copyExperiment copies an experiment without data, links and sessions.
func copyExperiment(from, to string) error {
	if exists(to) {
		return fmt.Errorf("experiment: --out %s is there already: expected a new folder", to)
	}
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case e.IsDir():
			return os.MkdirAll(target, 0o755)
		case filepath.Dir(rel) == "data", rel == "links.csv", rel == "sessions.csv", rel == ".lock":
			return nil
		}
		data, err := os.ReadFile(path)
		return errors.Join(err, os.WriteFile(target, data, 0o644))
	})
}

// report reads the answers back and shows them beside the network's own.
func (c *experimentSimulateCmd) report(g *globals, sim *simulate.Participants) error {
	data, err := answers.Load(sim.Design, []string{c.Out})
	if err != nil {
		return err
	}
	rows, err := data.Rows(evaluate.Bootstrap{Seed: c.Seed})
	if err != nil {
		return err
	}
	if g.JSON {
		return rowsJSON(os.Stdout, rows, nil, nil, nil)
	}
	fmt.Println(data.Counts())
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "condition\tnetwork\twith lapses\tread back\t95 % interval")
	for k, r := range rows.Overall(metamer.Recognizability) {
		expected, own := sim.Expected(k)
		fmt.Fprintf(t, "%s\t%.3f\t%.3f\t%.3f\t%.3f to %.3f\n", sim.Design.Conditions[k], own, expected, r.Value, r.Low, r.High)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	var off, worst float64
	n := 0
	planned := 1000 * float64(sim.Design.Times.Image) / sim.Design.Times.Refresh
	for _, p := range data.Participants {
		for _, tr := range p.Trials {
			e := math.Abs(tr.Shown - planned)
			off, worst, n = off+e, max(worst, e), n+1
		}
	}
	fmt.Printf("images were shown %.1f ms off the planned %.0f ms on average, %.1f ms at most, over %d trials\n", off/float64(max(n, 1)), planned, worst, n)
	fmt.Println(filepath.Join(c.Out, "data"))
	return nil
}
