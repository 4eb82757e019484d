package main

import (
	"bufio"
	"context"
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
// compilation, and "mem" with its peak memory in MiB.
type benchStepCmd struct {
	Model string `default:"resnet20"`
	Stage string `default:"late"`
	Batch int    `default:"8"`
}

func (c *benchStepCmd) Run(ctx context.Context, g *globals) error {
	set, err := images.Open([]string{fmt.Sprintf("cifar10:%d", c.Batch)}, images.Options{})
	if err != nil {
		return err
	}
	e, err := g.engine()
	if err != nil {
		return err
	}
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
			_, err := e.Synthesize(ctx, engine.Request{Images: set, Recipe: metamer.Recipe{Models: []metamer.ModelRef{{Name: c.Model}}, Stage: c.Stage, Steps: n, Batch: c.Batch},
				Progress: func(p metamer.Progress) {
					switch p.Phase {
					case "start":
						began = time.Now()
					case "synthesis":
						took = time.Since(began).Seconds()
					}
				}})
			if err != nil {
				return err
			}
			fmt.Println(took)
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
