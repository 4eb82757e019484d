package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/engine"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// benchStepCmd answers "run N" with the seconds that N steps took, without the
// compilation, "losses" with the mean loss before each step of that run (JSON), and
// "mem" with its peak memory in MiB.
type benchStepCmd struct {
	Model     string `default:"resnet20"`
	Stage     string `default:"late"`
	Batch     int    `default:"8"`
	Images    string `help:"Image set (default: the first images of cifar10)."`
	Size      int
	Optimizer string `help:"Default: the paper's."`
	StepSize  float64
	Precision string
}

func (c *benchStepCmd) Run(ctx context.Context, g *globals) error {
	spec := cmp.Or(c.Images, fmt.Sprintf("cifar10:%d", c.Batch))
	set, err := images.Open([]string{spec}, images.Options{Size: c.Size})
	if err != nil {
		return err
	}
	e, err := g.engine()
	if err != nil {
		return err
	}
	var trace metamer.Trace
	in := bufio.NewScanner(os.Stdin)
	fmt.Println("ready")
	for in.Scan() {
		var n int
		switch {
		case strings.HasPrefix(in.Text(), "run "):
			if _, err := fmt.Sscanf(in.Text(), "run %d", &n); err != nil {
				return err
			}
			var began time.Time
			var took float64
			recipe := metamer.Recipe{Models: []metamer.ModelRef{{Name: c.Model}}, Stage: c.Stage, Steps: n, Batch: c.Batch, Precision: c.Precision,
				Optimizer: metamer.Optimizer{Name: c.Optimizer, StepSize: c.StepSize}}.Paper()
			r, err := e.Synthesize(ctx, engine.Request{Images: set, Recipe: recipe,
				Progress: func(p metamer.Progress) {
					switch p.Phase {
					case metamer.Starting:
						began = time.Now()
					case metamer.Stepping:
						took = time.Since(began).Seconds()
					}
				}})
			if err != nil {
				return err
			}
			trace = r.Trace
			fmt.Println(took)
		case in.Text() == "losses":
			if err := json.NewEncoder(os.Stdout).Encode(meanLosses(trace)); err != nil {
				return err
			}
		case in.Text() == "mem":
			var u syscall.Rusage
			if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
				return err
			}
			fmt.Println(u.Maxrss / 1024)
		}
	}
	return in.Err()
}

// meanLosses is the mean over all images of each step's losses.
func meanLosses(t metamer.Trace) []float64 {
	var means []float64
	for i, row := range t.Loss {
		if i == 0 || t.Step[i] != t.Step[i-1] {
			means = append(means, 0)
		}
		for _, l := range row {
			means[len(means)-1] += float64(l) / float64(len(row))
		}
	}
	return means
}
