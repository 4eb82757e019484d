package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

type runsVerifyCmd struct {
	ID      []string `arg:"" optional:"" help:"IDs of the runs (default: all)." predictor:"run"`
	Archive string   `help:"Verify an archive written by metamers runs export instead of the store." type:"existingfile" placeholder:"FILE.zip"`
	storeFlag
}

func (c *runsVerifyCmd) Help() string {
	return `Checks every file against its stored SHA-256 and the recipe's hash against the run's ID,
and reads metamers, match statistics, trace and cached rows. Runs without checksums (from
an early version, or copied in part) are reported as such. The exit status is 0 only when
every run is whole.`
}

func (c *runsVerifyCmd) Run(ctx context.Context, g *globals) error {
	ids, where, verify, err := c.verified()
	if err != nil {
		return err
	}
	var checks []runs.Check
	count := map[string]int{}
	var files int
	var bytes int64
	for _, id := range ids {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		check := verify(ctx, id)
		checks = append(checks, check)
		count[check.State]++
		files, bytes = files+check.Files, bytes+check.Bytes
		if g.JSON {
			continue
		}
		fmt.Printf("%s  %-11s %4d files %10s\n", id, check.State, check.Files, humanSize(check.Bytes))
		for _, p := range check.Problems {
			fmt.Println("    " + p)
		}
		for _, n := range check.Notes {
			fmt.Println("    note: " + n)
		}
	}
	if g.JSON {
		if err := json.NewEncoder(os.Stdout).Encode(checks); err != nil {
			return err
		}
	} else {
		fmt.Printf("%d of %d runs are whole; %d files, %s, read from %s\n", count[runs.Whole], len(ids), files, humanSize(bytes), where)
	}
	if bad := len(ids) - count[runs.Whole]; bad > 0 {
		return fmt.Errorf("%d of %d runs are not known to be whole: %d damaged (the next synth of the same recipe sets them aside and makes them again), %d without a manifest, %d unreadable",
			bad, len(ids), count[runs.Damaged], count[runs.NoManifest], count[runs.Unreadable])
	}
	return nil
}

// verified is what is verified.
func (c *runsVerifyCmd) verified() (ids []string, where string, verify func(context.Context, string) runs.Check, err error) {
	if c.Archive == "" {
		s, err := openFound(c.Store)
		if err != nil {
			return nil, "", nil, err
		}
		ids, err = chosen(s, c.ID)
		return ids, s.Where(), s.Verify, err
	}
	if c.ID != nil {
		return nil, "", nil, fmt.Errorf("--archive verifies the whole archive: leave the runs out")
	}
	a, err := runs.OpenArchive(c.Archive) // open until the program ends
	if err != nil {
		return nil, "", nil, err
	}
	if problems := a.Outside(); problems != nil {
		return nil, "", nil, fmt.Errorf("the archive %s is damaged:\n- %s", c.Archive, strings.Join(problems, "\n- "))
	}
	return a.IDs(), a.Path, func(_ context.Context, id string) runs.Check { return a.Verify(id) }, nil
}

// chosen resolves prefixes of IDs, all runs if there are none.
func chosen(s *runs.Store, prefixes []string) ([]string, error) {
	if len(prefixes) == 0 {
		return s.IDs()
	}
	var ids []string
	for _, p := range prefixes {
		id, err := runNamed(s, p)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// humanSize prints bytes for people.
func humanSize(n int64) string { return humanize.IBytes(uint64(n)) }

type runsGCCmd struct {
	storeFlag
	DryRun  bool          `help:"List the files without removing them."`
	Older   time.Duration `help:"Keep younger files, unless it is certain that the process that wrote them has ended." default:"24h"`
	Damaged bool          `help:"Also remove damaged runs that were set aside."`
}

func (c *runsGCCmd) Help() string {
	return `Finished runs and the checkpoints of unfinished runs are never removed.`
}

func (c *runsGCCmd) Run(ctx context.Context, g *globals) error {
	if c.Older <= 0 {
		return fmt.Errorf("--older %v: expected a time above 0", c.Older)
	}
	s, err := openFound(c.Store)
	if err != nil {
		return err
	}
	found, err := s.Garbage(ctx, runs.GC{Older: c.Older, Damaged: c.Damaged})
	if err != nil {
		return err
	}
	type row struct {
		Path, What string
		Bytes      int64
		Removed    bool
		Error      string `json:",omitempty"`
	}
	rows := []row{}
	var freed int64
	failed := 0
	for _, f := range found {
		r := row{Path: f.Path, What: f.What, Bytes: f.Bytes}
		verb := "would remove"
		if !c.DryRun {
			verb = "removed"
			if err := f.Remove(); err != nil {
				r.Error, verb = err.Error(), "could not remove"
				failed++
			} else {
				r.Removed = true
			}
		}
		if r.Error == "" {
			freed += r.Bytes
		}
		rows = append(rows, r)
		if !g.JSON {
			fmt.Printf("%s %s (%s, %s)\n", verb, r.Path, r.What, humanSize(r.Bytes))
			if r.Error != "" {
				fmt.Println("    " + r.Error)
			}
		}
	}
	if g.JSON {
		if err := json.NewEncoder(os.Stdout).Encode(rows); err != nil {
			return err
		}
	} else if c.DryRun {
		fmt.Printf("%d files and folders, %s, would be removed from %s\n", len(found), humanSize(freed), s.Where())
	} else {
		fmt.Printf("%d files and folders, %s, removed from %s\n", len(found)-failed, humanSize(freed), s.Where())
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d things could not be removed", failed, len(found))
	}
	return nil
}
