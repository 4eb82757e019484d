package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/sweep"
)

// sweepShardCmd is what Slurm and Kubernetes start: the shard's command, its record,
// and what a scheduler's signals ask for.
type sweepShardCmd struct {
	Shard  int    `arg:"" help:"Index of the shard."`
	Dir    string `required:"" type:"path" help:"Folder of the sweep."`
	From   string `type:"path" help:"Folder with plan.yaml and sweep.json from which the sweep's folder is created if it is missing."`
	Slurm  bool   `help:"Run as a Slurm job: on SIGUSR1 save a checkpoint and requeue the job."`
	Groups string `help:"Groups of shards that share a job. The shards of the group that begins with this shard run one after the other." placeholder:"FROM-TO,…"`
}

func (c *sweepShardCmd) Run(ctx context.Context) error {
	if c.From != "" {
		if err := sweep.Copy(c.From, c.Dir); err != nil {
			return err
		}
	}
	s, err := sweep.Open(c.Dir)
	if err != nil {
		return err
	}
	group, err := sweep.Group(c.Groups, c.Shard)
	if err != nil {
		return err
	}
	if last := group[len(group)-1]; c.Shard < 0 || last >= len(s.Shards) {
		return fmt.Errorf("sweep %s has no shards %d to %d, expected 0 to %d", s.ID(), c.Shard, last, len(s.Shards)-1)
	}
	prog, err := os.Executable() // this very file, not what replaced it since
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a := sweep.Attempt{Program: prog}
	var limit atomic.Bool // the time limit is near
	if c.Slurm {
		a.Job = os.Getenv("SLURM_ARRAY_JOB_ID") + "_" + os.Getenv("SLURM_ARRAY_TASK_ID")
		near := make(chan os.Signal, 1)
		signal.Notify(near, syscall.SIGUSR1)
		defer signal.Stop(near)
		go func() {
			select {
			case <-near:
				limit.Store(true)
				cancel()
			case <-ctx.Done():
			}
		}()
	} else if pod := os.Getenv("POD_NAME"); pod != "" {
		a.Job = pod
	}
	var failed []error
	for _, shard := range group {
		if ctx.Err() != nil {
			break
		}
		r, err := s.Do(ctx, shard, a)
		if err != nil {
			return err
		}
		fmt.Printf("shard %d, %s: %s %s %s\n", r.Shard, s.Shards[r.Shard], r.State, r.Run, r.Reason)
		if r.State != sweep.Done && r.State != sweep.Stopped {
			failed = append(failed, errors.New(r.Reason)) // the others of the job do not depend on it
		}
	}
	if ctx.Err() != nil && limit.Load() {
		again, end := context.WithTimeout(context.Background(), time.Minute)
		defer end()
		if err := sweep.Requeue(again); err != nil {
			return fmt.Errorf("the time limit is near, and the job cannot be queued again: %w", err)
		}
	}
	if ctx.Err() != nil {
		return context.Canceled
	}
	return errors.Join(failed...)
}
