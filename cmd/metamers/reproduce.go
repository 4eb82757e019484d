package main

import (
	"context"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/engine"
	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	_ "github.com/ensemble-metamers/metamers/metamerkit/images/photos" // the image set photos
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// The model sets of the main job: a standard network, an ensemble of standard
// ones, of robust ones, and a CNN with a transformer.
var reproduceSets = [][]string{{"resnet20"}, {"resnet20", "resnet56"}, {"resnet2b", "resnet4b"}, {"resnet20", "vit"}}

type reproduceCmd struct {
	Images []string `help:"Image set (default: cifar10:16, or photos:16 where CIFAR-10 is not there)." sep:"none"`
	Size   int      `help:"Pixels a side, for image files." default:"32"`
	recipeFlags
	storeFlag
	Sheets string `help:"Folder of the contact sheets." default:"out" type:"path"`
}

func (c *reproduceCmd) Run(ctx context.Context, g *globals) error {
	if len(c.Images) == 0 {
		c.Images = []string{"cifar10:16"}
		if !images.HasCIFAR() {
			c.Images = []string{"photos:16"}
			fmt.Fprintln(os.Stderr, "CIFAR-10 is not here; using the first 16 of the embedded photographs")
		}
	}
	f := imageFlags{Images: c.Images, Size: c.Size}
	set, err := f.open()
	if err != nil {
		return err
	}
	store, err := c.storeFlag.open()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Sheets, 0o755); err != nil {
		return err
	}
	e, err := g.engine()
	if err != nil {
		return err
	}
	type line struct {
		set, stage string
		pass       int
		loss       float64
	}
	var lines []line
	for _, models := range reproduceSets {
		var done []*metamer.Run
		label := strings.Join(models, "+")
		for _, stage := range metamer.Stages {
			r, err := c.recipe(models, stage)
			if err != nil {
				return err
			}
			run, err := synthesize(ctx, g, e, engine.Request{Recipe: r, Images: set, Store: store, Extra: extras(set)})
			if err != nil {
				return err
			}
			if err := report(g, run); err != nil {
				return err
			}
			done = append(done, run)
			sum := 0.0
			for _, ev := range run.Evidence {
				sum += ev.Loss / float64(len(run.Evidence))
			}
			lines = append(lines, line{label, stage, run.PassCount(), sum})
		}
		path := filepath.Join(c.Sheets, strings.ReplaceAll(label, "+", "_")+".png")
		err := savePNG(path, func() (image.Image, error) {
			return figures.Contact(fmt.Sprintf("Metamers of %s for {%s}", set.Name, strings.Join(models, ", ")), set, done...)
		})
		if err != nil {
			return err
		}
	}
	if g.JSON {
		return nil
	}
	fmt.Printf("\n%-20s %-8s %-12s %s\n", "model set", "stage", "metamers", "mean relative L2 loss")
	for _, l := range lines {
		fmt.Printf("%-20s %-8s %2d of %-6d %.4f\n", l.set, l.stage, l.pass, set.Len(), l.loss)
	}
	fmt.Println("contact sheets:", c.Sheets)
	return nil
}
