package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/sweep"
)

// dry shows what would be done.
func (c *sweepStartCmd) dry(g *globals, s *sweep.Sweep, prog string) error {
	pending, _, err := s.Pending()
	if err != nil {
		return err
	}
	cost, err := s.Expect()
	if err != nil {
		return err
	}
	undone := map[int]bool{}
	for _, i := range pending {
		undone[i] = true
	}
	if g.JSON {
		type line struct {
			sweep.Shard
			Done    bool
			Command []string
		}
		out := struct {
			Sweep  string
			Cost   *sweep.Cost
			Shards []line
		}{Sweep: s.ID(), Cost: cost}
		for _, sh := range s.Shards {
			out.Shards = append(out.Shards, line{sh, !undone[sh.Index], append([]string{prog}, s.Args(sh)...)})
		}
		return json.NewEncoder(os.Stdout).Encode(out)
	}
	for _, sh := range s.Shards {
		if undone[sh.Index] {
			fmt.Printf("%4d  %s\n      %s\n", sh.Index, sh, shell(append([]string{filepath.Base(prog)}, s.Args(sh)...)))
		}
	}
	fmt.Printf("\n%d shards of at most %d images, %d to do\n", len(s.Shards), s.Block, len(pending))
	fmt.Printf("expected: %s in the store", humanize.Bytes(uint64(cost.Bytes)))
	if cost.Hours > 0 {
		fmt.Printf(", %s of one device for the runs (from %s); evaluations come on top", hoursText(cost.Hours), strings.Join(cost.Measured, ", "))
	}
	fmt.Println()
	if n := s.Plan.Distortions; n > 0 {
		fmt.Printf("distortions of %d images for each set and stage are computed by the metamers reproduce that makes the page\n", n)
	}
	if len(cost.Unknown) > 0 {
		fmt.Printf("no time is known for %s: seconds of one step of one image go into the plan (sweep: {seconds: {MODEL: 0.01}}), or one run into the store\n", strings.Join(cost.Unknown, ", "))
	}
	return nil
}

// shell writes a command as a shell reads it.
func shell(args []string) string {
	out := make([]string, len(args))
	for i, a := range args {
		if out[i] = a; a == "" || strings.ContainsAny(a, " \t\n'\"\\$`!*?[]{}()<>|&;#~") {
			out[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return strings.Join(out, " ")
}

func hoursText(h float64) string {
	if h < 0.1 {
		return (time.Duration(h*3600*1000) * time.Millisecond).Round(100 * time.Millisecond).String()
	}
	return fmt.Sprintf("%.3g hours", h)
}

// local carries a sweep out on this machine.
func (c *sweepStartCmd) local(ctx context.Context, g *globals, s *sweep.Sweep, prog string) error {
	workers := sweep.Workers(backend.GPUs(), os.Getenv("CUDA_VISIBLE_DEVICES"), c.Workers)
	if s.Backend == string(backend.XLA) || s.Backend == string(backend.Go) || s.Backend == string(backend.Auto) {
		workers = sweep.Workers(nil, "", c.Workers) // on the CPU
	}
	pending, _, err := s.Pending()
	if err != nil {
		return err
	}
	if !g.JSON {
		fmt.Printf("sweep %s: %d of %d shards to do, %d workers\n", s.ID(), len(pending), len(s.Shards), len(workers))
	}
	bar, done := newMeter(g), 0
	err = s.Local(ctx, sweep.LocalOptions{Program: prog, Workers: workers, Retries: c.Retries, Changed: func(r sweep.Record) {
		bar.clear()
		if r.State != sweep.Running && !g.JSON {
			fmt.Println(recordLine(s, r))
		}
		if r.State == sweep.Done {
			done++
		}
		now := state{Title: s.Name, Phase: fmt.Sprintf("%d of %d shards", done, len(pending)), Done: float64(done) / float64(max(len(pending), 1))}
		if st, err := s.Status(nil); err == nil {
			now.Left = st.Left
		}
		bar.show(now)
	}})
	bar.clear()
	if g.JSON {
		st, e := s.Status(nil)
		if e == nil {
			e = json.NewEncoder(os.Stdout).Encode(st)
		}
		err = cmp.Or(err, e)
	} else if err == nil {
		what := "figures and tables"
		if s.Plan.Distortions > 0 {
			what = "distortions, figures and tables"
		}
		fmt.Printf("done; for %s: metamers reproduce --scale %s --store %s\n", what, s.PlanPath(), s.Store)
	}
	return err
}

func recordLine(s *sweep.Sweep, r sweep.Record) string {
	state := r.State
	if r.Cached {
		state = "stored"
	}
	line := fmt.Sprintf("%-9s %4d  %s", state, r.Shard, s.Shards[r.Shard])
	switch r.State {
	case sweep.Done:
		return fmt.Sprintf("%s: run %s, %.1f s", line, r.Run, r.Seconds)
	case sweep.Running:
		where := r.Host
		for _, w := range []string{r.Worker, r.Job} {
			if w != "" {
				where += ", " + w
			}
		}
		if !r.Began.IsZero() {
			where += ", for " + time.Since(r.Began).Round(time.Second).String()
		}
		return line + " (" + where + ")"
	}
	return fmt.Sprintf("%s: %s\n                %s", line, r.Reason, s.LogPath(r.Shard))
}

type sweepStatusCmd struct {
	Plan string `arg:"" optional:"" help:"Plan or name of the sweep (default: the sweep that was started last)."`
	All  bool   `help:"Show all sweeps of the plan, not only the latest one."`
	sweepStore
}

// find returns the sweeps that a plan or name stands for.
func (s sweepStore) find(plan string) ([]*sweep.Sweep, error) {
	_, home, err := s.home()
	if err != nil {
		return nil, err
	}
	name := plan
	if plan != "" {
		if found, err := sweep.Find(home, plan); err == nil && len(found) > 0 {
			return found, nil
		}
		p, err := (&reproduceCmd{Scale: plan, Set: []string{}}).plan()
		if err != nil {
			return nil, err
		}
		name = p.Name
	}
	found, err := sweep.Find(home, name)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("no sweep %s in %s", name, home)
	}
	return found, err
}

func (c *sweepStatusCmd) Run(ctx context.Context, g *globals) error {
	found, err := c.find(c.Plan)
	if err != nil {
		return err
	}
	if !c.All {
		found = found[:1]
	}
	var all []*sweep.Status
	for _, s := range found {
		queue, err := s.SlurmQueue(ctx)
		if err != nil {
			fmt.Fprintln(os.Stderr, "warning: what Slurm knows is not shown:", err)
		}
		st, err := s.Status(queue)
		if err != nil {
			return err
		}
		all = append(all, st)
		if !g.JSON {
			printStatus(s, st)
		}
	}
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(all)
	}
	return nil
}

func printStatus(s *sweep.Sweep, st *sweep.Status) {
	fmt.Printf("sweep %s, started %s, runs in %s\n", st.ID, s.Started.Format(time.DateTime), st.Store)
	fmt.Printf("  %-12s %6s %6s %8s %7s %7s\n", "", "all", "done", "running", "failed", "queued")
	for _, p := range st.Phases {
		fmt.Printf("  %-12s %6d %6d %8d %7d %7d\n", p.Phase, p.Total, p.Done, p.Running, p.Failed, p.Queued)
	}
	if st.Hours > 0 {
		fmt.Printf("  %s of workers so far", hoursText(st.Hours))
		if st.Throughput > 0 {
			fmt.Printf(", %.3g image steps/s", st.Throughput)
		}
		if st.Left > 0 {
			fmt.Printf(", about %s left", st.Left)
		}
		fmt.Println()
	}
	for _, r := range append(st.Running, st.Failures...) {
		fmt.Println(recordLine(s, r))
	}
}

type sweepStopCmd struct {
	Plan string `arg:"" help:"Plan or name of the sweep."`
	sweepStore
}

func (c *sweepStopCmd) Run(ctx context.Context) error {
	found, err := c.find(c.Plan)
	if err != nil {
		return err
	}
	s := found[0]
	local, err := s.StopLocal()
	if err != nil {
		return err
	}
	jobs, err := s.StopSlurm(ctx)
	if err != nil {
		return err
	}
	switch {
	case local:
		fmt.Printf("sweep %s was told to stop; its commands save their state\n", s.ID())
	case jobs > 0:
		fmt.Printf("sweep %s: %d shards cancelled in Slurm\n", s.ID(), jobs)
	default:
		fmt.Printf("sweep %s does not run (jobs of Kubernetes are stopped by kubectl delete)\n", s.ID())
	}
	return nil
}
