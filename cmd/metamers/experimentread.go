package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/ensemble-metamers/metamers/metamerkit/claims"
	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/people"
	"github.com/ensemble-metamers/metamers/metamerkit/people/answers"
)

type experimentReadCmd struct {
	Data      []string `arg:"" help:"Folder of the experiment, or folders and files of data: .csv, and what hosts give (docs/people.md)."`
	Design    string   `help:"Folder or design.json of the experiment. Needed only when no experiment's folder is given." placeholder:"PATH" type:"path"`
	Out       string   `help:"CSV file to write rows to, with the observer people." type:"path" placeholder:"ROWS.csv"`
	Networks  string   `help:"Rows of networks, with whose recognizability that of people is correlated over conditions." type:"existingfile" placeholder:"ROWS.csv" predictor:"file"`
	Claims    bool     `help:"Test the paper's claims with people as the observer."`
	BIDS      string   `name:"bids" help:"Folder to make a dataset of BIDS in: images, and events of each participant." type:"path" placeholder:"DIR"`
	Resamples int      `help:"Number of bootstrap resamples over participants and images." default:"2000"`
	Seed      uint64   `help:"Random seed for the bootstrap and the noise ceiling."`
}

func (c *experimentReadCmd) Help() string {
	return `Every line is checked: data of another design, lines that were cut or edited, a participant
who occurs twice and a clock that goes back are errors. Participants and trials are left
out by the rule in the design alone, and counted.

Examples:
  metamers experiment read exp --out people.csv
  metamers experiment read downloads/*.csv --design exp --out people.csv --networks rows.csv
  metamers figures --from rows.csv --people people.csv --only fig3 --out figures`
}

func (c *experimentReadCmd) Run(g *globals) error {
	if c.Out != "" {
		if err := paths.CheckFile(c.Out); err != nil {
			return err
		}
	}
	d, folder, err := c.design()
	if err != nil {
		return err
	}
	data, err := answers.Load(d, c.Data)
	if err != nil {
		return err
	}
	if d.Task != "" && (c.Claims || c.Networks != "") {
		return fmt.Errorf("experiment: --claims and --networks are about recognizability, and the task of the design is %s", d.Kind())
	}
	boot := evaluate.Bootstrap{Resamples: c.Resamples, Seed: c.Seed}
	rows, err := data.Rows(boot)
	if err != nil {
		return err
	}
	if c.Out != "" {
		if err := metamer.SaveRows(c.Out, rows); err != nil {
			return err
		}
	}
	if c.BIDS != "" {
		if err := data.WriteBIDS(c.BIDS, folder); err != nil {
			return err
		}
	}
	var like []claims.Correlation
	if c.Networks != "" {
		networks, err := metamer.LoadRows(c.Networks)
		if err != nil {
			return err
		}
		both, err := claims.WithPeople(networks, rows)
		if err != nil {
			return fmt.Errorf("--networks %s: %w", c.Networks, err)
		}
		like = claims.Correlate(both)
	}
	var list []claims.Claim
	if c.Claims {
		cards, err := allCards()
		if err != nil {
			return err
		}
		if list, err = claims.Of(rows, cards, claims.Options{Bootstrap: boot}); err != nil {
			return err
		}
	}
	counts := data.Counts()
	if g.JSON {
		return rowsJSON(os.Stdout, rows, nil, list, nil)
	}
	fmt.Printf("%s\n%s\n%s\n", counts, d.Exclusion, data.Timing())
	if err := c.print(rows, like); err != nil {
		return err
	}
	for _, claim := range list {
		fmt.Println(claim)
	}
	return nil
}

// design finds the design of the data, and the folder that it is in.
func (c *experimentReadCmd) design() (*people.Design, string, error) {
	from := c.Design
	for _, f := range c.Data {
		if from == "" && exists(filepath.Join(f, people.DesignName)) {
			from = f
		}
	}
	if from == "" {
		return nil, "", errors.New("experiment: none of the data is an experiment's folder: --design names the folder or its design.json")
	}
	d, err := people.Load(from)
	if st, err := os.Stat(from); err == nil && !st.IsDir() {
		from = filepath.Dir(from)
	}
	return d, from, err
}

// print shows the measures of each condition, and how networks compare.
func (c *experimentReadCmd) print(rows metamer.Rows, like []claims.Correlation) error {
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nmodel set\tstage\tmeasure\tvalue\t95 % interval\timages")
	for _, r := range rows {
		if r.Image >= 0 || r.Measure == "chance" || r.Measure == metamer.NoiseCeiling {
			continue
		}
		set, interval := r.Set, "– ("+r.Reason+")"
		if set == "" {
			set = "natural images"
		}
		if !math.IsNaN(r.Low) {
			interval = fmt.Sprintf("%.3f to %.3f", r.Low, r.High)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%.3f\t%s\t%d\n", set, r.Stage, r.Measure, r.Value, interval, r.Count)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Println()
	for _, r := range rows {
		switch {
		case r.Measure == "chance":
			fmt.Printf("chance %.3f; ", r.Value)
		case r.Measure == metamer.NoiseCeiling && r.Reason != "":
			fmt.Printf("noise ceiling: – (%s)\n", r.Reason)
		case r.Measure == metamer.NoiseCeiling:
			fmt.Printf("noise ceiling of rank correlations over conditions %.3f\n", r.Value)
		}
	}
	for _, l := range like {
		fmt.Println(l)
	}
	if c.Out != "" {
		fmt.Println(c.Out)
	}
	return nil
}
