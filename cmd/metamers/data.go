package main

import (
	"context"
	"fmt"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
)

type dataCmd struct {
	Get dataGetCmd `cmd:"" help:"Download a data set into the cache folder."`
}

type dataGetCmd struct {
	Name string `arg:"" enum:"cifar10" help:"Name of the data set: cifar10 (binary version, 162 MB, from https://www.cs.toronto.edu/~kriz/cifar.html)."`
}

func (c dataGetCmd) Run(ctx context.Context, g *globals) error {
	show, clear := bytesBar(g, "cifar10")
	dir, there, err := images.CIFAR10().Get(ctx, show)
	clear()
	if err != nil {
		return err
	}
	if there {
		fmt.Println("already downloaded:", dir)
	} else {
		fmt.Println(dir)
	}
	return nil
}
