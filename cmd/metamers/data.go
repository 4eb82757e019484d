package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
)

type dataCmd struct {
	Get dataGetCmd `cmd:"" help:"Download a data set into the cache folder."`
}

type dataGetCmd struct {
	Name string `arg:"" enum:"cifar10" help:"cifar10 (the official binary version, 162 MB; see https://www.cs.toronto.edu/~kriz/cifar.html)."`
}

func (c dataGetCmd) Run(ctx context.Context, g *globals) error {
	bar := bytesBar(g, "cifar10")
	dir, there, err := images.CIFAR10().Get(ctx, bar)
	if err != nil {
		return err
	}
	if there {
		fmt.Println("it was there already:", dir)
	} else {
		fmt.Println(dir)
	}
	return nil
}

// bytesBar shows a download on a terminal; elsewhere it shows nothing.
func bytesBar(g *globals, title string) func(done, total int64) {
	if g.Quiet || g.JSON || !term.IsTerminal(int(os.Stderr.Fd())) {
		return nil
	}
	pb := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetWidth(24), progressbar.OptionShowBytes(true), progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionShowTotalBytes(true), progressbar.OptionClearOnFinish(), progressbar.OptionSetDescription(title))
	return func(done, total int64) {
		if total > 0 {
			pb.ChangeMax64(total)
		}
		pb.Set64(done)
	}
}
