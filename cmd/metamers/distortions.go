package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

type distortionsCmd struct {
	Models []string `required:"" help:"Names of the model set's members, separated by commas (see: metamers models)." predictor:"models"`
	Stage  string   `required:"" help:"Stage: early, middle, late, or a layer's name." predictor:"stages"`
	imageFlags
	Products  int     `positive:"" help:"Largest number of products with JᵀJ of each member in each search (default: ${distortion_products})."`
	Tolerance float64 `help:"Residual, by the largest eigenvalue, at which a direction is converged (default: ${distortion_tolerance})." placeholder:"NUMBER"`
	Floor     float64 `help:"Floor of a member's squared sensitivities in the pair that separates the members, by its largest (default: ${distortion_floor})." placeholder:"NUMBER"`
	Seed      uint64  `help:"Random seed of the first directions."`
	RMS       float64 `name:"rms" default:"${distortion_rms}" help:"Root mean square of the directions as they are shown, for pixels in [0,1]."`
	Out       string  `required:"" help:"Folder to write: distortions.json, a file with the directions of each image, sheet.png. Images that it has are not computed again." type:"path" placeholder:"FOLDER" predictor:"dir"`
}

func (c *distortionsCmd) Help() string {
	return `Examples:
  metamers distortions --models resnet8_48.mm_c10 --stage late --images photos:4 --size 32 --out d
  metamers distortions --models resnet8_48.mm_c10,resnet8_48.mm_c10_linf8,vit_4_96.mm_c10 --stage late --images photos:4 --size 32 --out d

For each image these are the directions of pixels that the set notices most and least at the
stage, and, for two members and more, the pair of directions that separates the
sensitivities of the members best. docs/distortions.md has formulas and sources.`
}

func (c *distortionsCmd) Run(ctx context.Context, g *globals) error {
	if !(c.RMS > 0 && c.RMS <= 1) {
		return fmt.Errorf("rms is %g, expected a number above 0, at most 1", c.RMS)
	}
	names := make([]string, len(c.Models))
	for i, name := range c.Models {
		m, err := zoo.Lookup(name)
		if err != nil {
			return err
		}
		if names[i] = m.Name; slices.Contains(names[:i], m.Name) {
			return fmt.Errorf("model %s is named twice", m.Name)
		}
	}
	set, err := c.imageFlags.defaults(names).open()
	if err != nil {
		return err
	}
	q := api.Distorting{Models: names, Stage: c.Stage, Images: set, Products: c.Products, Tolerance: c.Tolerance, Floor: c.Floor, Seed: c.Seed}.WithDefaults()
	if err := q.Check(); err != nil {
		return err
	}
	out, err := openDistortions(c.Out, q)
	if err != nil {
		return err
	}
	done := len(out.Images)
	if done < set.Len() {
		e, err := g.engine()
		if err != nil {
			return err
		}
		q.Images = set.Slice(done, set.Len())
		m := newMeter(g)
		q.Progress = func(i int, search string, products int) {
			m.show(state{Title: set.Names[done+i], Phase: search, Step: products, Steps: q.Products, Done: float64(done+i) / float64(set.Len())})
		}
		q.Found = func(d api.Distortions) error {
			m.clear()
			if !g.JSON {
				fmt.Println(d.Summary())
			}
			return out.add(d)
		}
		_, err = e.Distort(ctx, q)
		m.clear()
		if errors.Is(err, context.Canceled) {
			err = fmt.Errorf("%d of %d images are done and kept in %s; the same command goes on from there: %w", len(out.Images), set.Len(), c.Out, err)
		}
		if err != nil {
			return err
		}
	}
	if err := out.draw(set, c.RMS); err != nil {
		return err
	}
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(out)
	}
	fmt.Printf("%s: distortions.json, sheet.png and directions of %d images\n", c.Out, len(out.Images))
	return nil
}

// distortionDefaults are for the help texts.
func distortionDefaults() map[string]string {
	return map[string]string{
		"distortion_products": fmt.Sprint(api.DefaultProducts), "distortion_tolerance": fmt.Sprint(api.DefaultTolerance),
		"distortion_floor": fmt.Sprint(api.DefaultFloor), "distortion_rms": fmt.Sprint(figures.DistortionRMS),
	}
}
