package main

import (
	"context"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/client"
)

// hold keeps the engine that cells have started alive for as long as this kernel
// lives, so that models stay loaded however long its user thinks. It starts none, and
// an engine that ends is held again when there is a new one.
func hold(ctx context.Context) {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		ended, err := (&client.Client{}).Hold(ctx)
		if err != nil {
			continue // none runs
		}
		select {
		case <-ctx.Done():
			return
		case <-ended:
		}
	}
}
