package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

type runsCmd struct {
	List   runsListCmd   `cmd:"" default:"withargs" help:"List the runs, newest first."`
	Show   runsShowCmd   `cmd:"" help:"Show a run, by ID or a prefix of it."`
	Verify runsVerifyCmd `cmd:"" help:"Verify every file of the runs against its checksum."`
	GC     runsGCCmd     `cmd:"" name:"gc" help:"Remove leftovers of killed processes: temporary files, partial files and stale locks."`
	Export runsExportCmd `cmd:"" help:"Export runs as an archive for publication (RO-Crate)."`
	Import runsImportCmd `cmd:"" help:"Import the runs of an archive."`
	Rm     runsRmCmd     `cmd:"" help:"Remove runs."`
}

type runsListCmd struct{ storeFlag }

func (c runsListCmd) Run(g *globals) error {
	s, err := c.open()
	if err != nil {
		return err
	}
	ids, err := s.IDs()
	if err != nil {
		return err
	}
	type row struct {
		ID     string
		Recipe *metamer.Recipe `json:",omitempty"`
		Steps  int
		Passed int
		Tested int
		Error  string `json:",omitempty"`
	}
	rows := []row{}
	for _, id := range ids {
		run, err := s.Load(id)
		if err != nil {
			rows = append(rows, row{ID: id, Error: err.Error()})
			if !g.JSON {
				fmt.Println(id, err)
			}
			continue
		}
		r := run.Recipe
		pass, tested := run.Tally()
		rows = append(rows, row{ID: id, Recipe: &r, Steps: run.StepsRun, Passed: pass, Tested: tested})
		if g.JSON {
			continue
		}
		passed := fmt.Sprintf("%2d of %d pass", pass, tested)
		if tested == 0 {
			passed = metamer.NotTested
		} else if r.Against != nil {
			parted, _ := run.Parted()
			passed += fmt.Sprintf(", %d apart", parted)
		}
		fmt.Printf("%s  %-32s %-7s %-14s %5d steps %-8s %s\n", id, strings.Join(r.ModelNames(), "+")+r.Opponents(), r.Stage, r.Images.Name, run.StepsRun, r.Optimizer.Name, passed)
	}
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(rows)
	}
	if len(ids) == 0 {
		fmt.Fprintln(os.Stderr, "no runs in", s.Where())
	}
	return nil
}

type runsShowCmd struct {
	ID string `arg:"" predictor:"run"`
	storeFlag
}

func (c runsShowCmd) Run(g *globals) error {
	s, err := c.open()
	if err != nil {
		return err
	}
	run, err := loadRun(s, c.ID)
	if err != nil {
		return err
	}
	run.Cached = true
	if err := report(g, run, nil); err != nil || g.JSON {
		return err
	}
	return printImages(os.Stdout, run)
}

// printImages prints a table of a run's images: name, relative L2 distance for each member and
// each model that the run is against, and the verdict.
func printImages(out io.Writer, run *metamer.Run) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	outcomes, verdicts := run.Outcomes(), map[string]string{}
	if run.Recipe.Against != nil {
		outcomes, verdicts = run.Apart(), map[string]string{metamer.Pass: "apart", metamer.Fail: "not apart"}
	}
	fmt.Fprintln(w, "\nimage\trel. L2 for "+strings.Join(run.Recipe.TappedNames(), ", ")+"\tverdict")
	for i, verdict := range outcomes {
		verdict = cmp.Or(verdicts[verdict], verdict)
		var losses []string
		for _, m := range run.Recipe.TappedNames() {
			for _, e := range slices.Concat(run.Statistics, run.Against) {
				if e.Image == i && e.Member == m {
					losses = append(losses, fmt.Sprintf("%#.3g", e.Loss))
				}
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", run.Name(i), strings.Join(losses, ", "), verdict)
	}
	return w.Flush()
}

type runsRmCmd struct {
	ID []string `arg:"" predictor:"run"`
	storeFlag
}

func (c runsRmCmd) Run() error {
	s, err := c.open()
	if err != nil {
		return err
	}
	for _, prefix := range c.ID {
		id, err := runNamed(s, prefix)
		if err != nil {
			return err
		}
		if err := s.Remove(id); err != nil {
			return err
		}
		fmt.Println("removed", id)
	}
	return nil
}
