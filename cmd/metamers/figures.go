package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/engine"
	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
	"github.com/ensemble-metamers/metamers/metamerkit/study"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

type figuresCmd struct {
	From []string `help:"Data to draw: row files (.csv, .csv.gz), results folders of reproduce, run IDs or run folders." required:"" placeholder:"ROWS|RESULTS|RUN"`
	peopleFlag
	Out     string   `help:"Output folder for figures and tables." required:"" type:"path" placeholder:"DIR"`
	Only    []string `help:"Draw only these, such as fig3,table2 (choices: losses, figure1 to figure8, match, claims, claims-people, people, table1 to table6, distortions, differences)." placeholder:"NAMES"`
	Formats []string `help:"File formats: png, svg, pdf for figures; md, tex, csv, html for tables." default:"png,svg,pdf,md,tex,csv"`
	DPI     int      `help:"Resolution of PNG files in dots per inch." default:"144"`
	storeFlag
	Images imageSpec `help:"Reference images. Needed only when the run does not say where they are." placeholder:"SET"`
}

func (c *figuresCmd) Help() string {
	return `Draws figures and tables from stored rows. Runs given by ID are evaluated first where
rows are missing. Figures 1 and 2, losses and match also need the runs of the rows and
look for them in the store. Runs of different images cannot be combined; other
differences between runs are listed.

Examples:
  metamers figures --from out --out print --only fig3,fig5 --formats pdf
  metamers figures --from rows.csv --out figures --dpi 300
  metamers figures --from 3f2a,91bc --out figures --only fig2,table5 --formats png,md`
}

func (c *figuresCmd) Run(ctx context.Context, g *globals) error {
	parts, err := study.Parts(c.Only)
	if err != nil {
		return err
	}
	if c.DPI < 10 || c.DPI > 2400 {
		return fmt.Errorf("--dpi is %d, expected 10 to 2400", c.DPI)
	}
	human, err := c.peopleFlag.rows(evaluate.Bootstrap{})
	if err != nil {
		return err
	}
	st, err := c.storeFlag.locate()
	if err != nil {
		return err
	}
	stores := []*runs.Store{st}
	cards, err := allCards()
	if err != nil {
		return err
	}
	again := &study.Again{Cards: cards, References: engine.References}
	again.Run = func(id string) (*metamer.Run, error) {
		for _, s := range stores {
			if run, err := s.Load(id); !errors.Is(err, fs.ErrNotExist) {
				return run, err
			}
		}
		return nil, fs.ErrNotExist
	}
	if c.Images != nil {
		again.References = func(run *metamer.Run) (*images.Set, error) { return openFor(c.Images, "bicubic", run) }
	}
	var named []*metamer.Run
	for _, from := range c.From {
		from, isRun, err := runOrPath(stores[0], from)
		if err != nil {
			return err
		}
		st, err := os.Stat(from)
		switch {
		case isRun:
			run, err := stores[0].Load(from)
			if err != nil {
				return err
			}
			named = append(named, run)
		case err == nil && !st.IsDir():
			rows, err := metamer.LoadRows(from)
			if err != nil {
				return err
			}
			again.Rows = append(again.Rows, rows...)
		case err == nil && exists(filepath.Join(from, "recipe.json")): // the folder of a run
			abs, err := filepath.Abs(from)
			if err != nil {
				return err
			}
			s := &runs.Store{Dir: filepath.Dir(abs)}
			run, err := s.Load(filepath.Base(abs))
			if err != nil {
				return err
			}
			stores, named = append(stores, s), append(named, run)
		case err == nil:
			if err := again.Read(from); err != nil {
				return err
			}
		default:
			return fmt.Errorf("figures: %s is not a file, a folder or a run in %s", from, stores[0].Where())
		}
	}
	if err := again.Compatible(named...); err != nil { // before anything is measured
		return err
	}
	if named != nil {
		rows, err := c.measured(ctx, g, named)
		if err != nil {
			return err
		}
		again.Rows = append(again.Rows, rows...)
	}
	again.Rows = append(again.Rows, human...)
	r, notes, err := again.Result()
	if err != nil {
		return err
	}
	r.ReadDistortions(st)
	if len(c.Only) == 0 {
		parts = r.Available(parts)
	}
	files, warnings, err := r.Save(c.Out, parts, c.Formats, c.DPI)
	if err != nil {
		return err
	}
	for _, w := range append(notes, warnings...) {
		fmt.Fprintln(os.Stderr, "warning:", w)
	}
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(struct{ Files, Warnings []string }{files, append(notes, warnings...)})
	}
	for _, f := range files {
		fmt.Println(f)
	}
	if len(files) == 0 {
		return fmt.Errorf("figures: nothing could be drawn of %s in the formats %s", strings.Join(parts, ", "), strings.Join(c.Formats, ", "))
	}
	return nil
}

// measured returns the rows of runs: stored rows, and the others measured now.
func (c *figuresCmd) measured(ctx context.Context, g *globals, named []*metamer.Run) (metamer.Rows, error) {
	q := engine.Evaluation{Runs: named}
	if c.Images != nil {
		var err error
		if q.Images, err = openFor(c.Images, "bicubic", named[0]); err != nil {
			return nil, err
		}
	}
	return g.evaluate(ctx, q)
}

// allCards are the cards of every model, by name.
func allCards() (map[string]*card.Card, error) {
	out := map[string]*card.Card{}
	for _, n := range zoo.Names() {
		c, err := zoo.Lookup(n)
		if err != nil {
			return nil, err
		}
		out[n] = c
	}
	return out, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
