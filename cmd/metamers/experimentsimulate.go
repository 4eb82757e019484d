package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/people"
	"github.com/ensemble-metamers/metamers/metamerkit/people/answers"
	"github.com/ensemble-metamers/metamers/metamerkit/people/serve"
	"github.com/ensemble-metamers/metamers/metamerkit/people/simulate"
)

type experimentSimulateCmd struct {
	Folder       string        `arg:"" help:"Folder of an experiment." type:"existingdir"`
	Observer     string        `required:"" help:"Model that the participants see as." placeholder:"MODEL" predictor:"models"`
	Out          string        `help:"New folder for a copy of the experiment with the simulated answers, so that these never mix with people's. Needed without --links." type:"path" placeholder:"FOLDER"`
	Links        string        `help:"File with the links that metamers experiment serve printed for this folder: answer at that server. The folder must be one for simulated answers only." type:"existingfile" placeholder:"FILE" predictor:"file"`
	Participants int           `default:"20" help:"Number of participants."`
	Lapse        float64       `default:"0.05" help:"Share of trials in which a participant guesses."`
	Reaction     time.Duration `default:"400ms" help:"Mean time of an answer."`
	Parallel     int           `default:"4" help:"Number of participants at the same time."`
	Seed         uint64        `help:"Random seed for lapses and times."`
}

func (c *experimentSimulateCmd) Help() string {
	return `Each participant opens a link of the lab's server in a window of a headless Chromium, reads
the page and presses keys. The answers are then read as those of people are, and printed beside
the network's own. A network recognizes by its class; it calls two images different when it
gives them different classes, and the one more natural of whose class it is surer. In these
two tasks catch trials are answered right.

Examples:
  metamers experiment simulate exp --observer resnet8_48.mm_c10 --out simulated
  metamers experiment serve trial > links & metamers experiment simulate trial --observer resnet8_48.mm_c10 --links links`
}

func (c *experimentSimulateCmd) Run(ctx context.Context, g *globals) error {
	if c.Participants < 1 || c.Parallel < 1 || !(c.Lapse >= 0 && c.Lapse <= 1) || c.Reaction < 0 {
		return fmt.Errorf("--participants %d, --parallel %d, --lapse %v, --reaction %v: expected numbers from 1, a share of trials and a time", c.Participants, c.Parallel, c.Lapse, c.Reaction)
	}
	if (c.Out == "") == (c.Links == "") {
		return fmt.Errorf("--out %q and --links %q: expected one of them", c.Out, c.Links)
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
	links, stop, err := c.server()
	if err != nil {
		return err
	}
	defer stop()
	b, err := simulate.Open(ctx, 1280, 900)
	if err != nil {
		return err
	}
	defer b.Close()
	sim := &simulate.Participants{Design: d, Choices: choices, Lapse: c.Lapse, Reaction: c.Reaction, Seed: c.Seed}
	bar := newCountBar(g, "simulation", "participants done", len(links))
	defer bar.clear()
	var mu sync.Mutex
	n := 0
	err = sim.Run(ctx, b, links, c.Parallel, func() {
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

// server returns the links of the participants: those of a running server, or of one of its
// own with a copy of the experiment, which stop ends.
func (c *experimentSimulateCmd) server() (links []string, stop func(), err error) {
	if c.Links != "" {
		text, err := paths.ReadText(c.Links)
		if err != nil {
			return nil, nil, fmt.Errorf("experiment: %w", err)
		}
		links = strings.Fields(string(text))
		if len(links) < c.Participants {
			return nil, nil, fmt.Errorf("experiment: %s has %d links, expected one for each of %d participants", c.Links, len(links), c.Participants)
		}
		return links[:c.Participants], func() {}, nil
	}
	if err := copyExperiment(c.Folder, c.Out); err != nil {
		return nil, nil, err
	}
	s, err := serve.New(c.Out, c.Participants)
	if err != nil {
		return nil, nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.Close()
		return nil, nil, fmt.Errorf("experiment: %w", err)
	}
	server := &http.Server{Handler: s}
	go server.Serve(l)
	return s.Links("http://" + l.Addr().String()), func() { server.Close(); s.Close() }, nil
}

// copyExperiment copies an experiment without data, links and sessions.
func copyExperiment(from, to string) error {
	if exists(to) {
		return fmt.Errorf("experiment: --out %s exists already: expected a new folder", to)
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
	data, err := answers.Load(sim.Design, []string{cmp.Or(c.Out, c.Folder)})
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
	fmt.Fprintln(t, "condition\tmeasure\tnetwork\twith lapses\tread back\t95 % interval")
	for k, r := range data.Shares(rows) {
		expected, own := sim.Expected(k)
		fmt.Fprintf(t, "%s\t%s\t%.3f\t%.3f\t%.3f\t%.3f to %.3f\n", sim.Design.Conditions[k], r.Measure, own, expected, r.Value, r.Low, r.High)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Println(data.Timing())
	fmt.Println(filepath.Join(cmp.Or(c.Out, c.Folder), "data"))
	return nil
}
