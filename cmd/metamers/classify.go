package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/engine"
	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/labels"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

type classifyCmd struct {
	Images     []string  `arg:"" help:"Image files, folders, a set such as cifar10:16 or photos:8, or IDs of runs (or prefixes of them)." predictor:"images"`
	Models     []string  `help:"Names of the models, separated by commas (default for runs: their members)." predictor:"models"`
	References imageSpec `name:"images" arguments:"" help:"Reference images of a run. Needed only when the run does not say where they are." placeholder:"SET"`
	storeFlag
	Top     int    `positive:"" help:"Number of classes to show for each image (default 5). For runs, the most probable one is shown."`
	Labels  string `help:"Tab-separated table with columns file and index, from which accuracy is computed." placeholder:"FILE.tsv" type:"existingfile" predictor:"file"`
	Classes string `help:"Class embeddings for models without a classifier, such as CLIP: a safetensors file with one matrix (one row per class) and class names in its metadata." placeholder:"FILE" type:"existingfile" predictor:"file"`
	Batch   int    `default:"25" help:"Batch size."`
}

func (c *classifyCmd) Help() string {
	return `Examples:
  metamers classify dog.jpg --models vit_tiny_patch16_224,resnet20
  metamers classify scenes:16 --models vit_tiny_patch16_224
  metamers classify 3f2a --models resnet56,vit      # a run: classes of references and metamers side by side
  metamers classify imagenet-sample/ --labels imagenet-sample/labels.tsv --models vit_tiny_patch16_224

Images are resized and cropped for each model as its card says. In Python, write the file
of --classes with safetensors.numpy.save_file(
{"classes": matrix}, FILE, metadata={"names": "\n".join(names), "scale": "100"}).`
}

// guess is one class of an image.
type guess struct {
	Class       int
	Name        string
	Probability float64
}

// classified is what one model says about all images.
type classified struct {
	Model    string
	Images   []string
	Guesses  [][]guess         // an image each, the likeliest first
	Accuracy map[string]within `json:",omitempty"`
	hits     [2]int
}

// within is a share with its 95 % interval (Wilson).
type within struct {
	Right int
	Of    int
	Share float64
	Low   float64
	High  float64
}

func (c *classifyCmd) Run(ctx context.Context, g *globals) error {
	if c.top() < 1 || c.Batch < 1 {
		return fmt.Errorf("top %d and batch %d: expected at least 1", c.top(), c.Batch)
	}
	var zero *engine.ZeroShot
	if c.Classes != "" {
		var err error
		if zero, err = readClasses(c.Classes); err != nil {
			return err
		}
	}
	var truth map[string]int
	if c.Labels != "" {
		var err error
		if truth, err = readLabels(c.Labels); err != nil {
			return err
		}
	}
	found, err := c.runs()
	if err != nil {
		return err
	}
	if found == nil && len(c.Models) == 0 {
		if first := c.Images[0]; len(c.Images) == 1 && first != "-" && !images.IsNamed(first) && !exists(first) {
			return fmt.Errorf("%s is neither a run nor an image: expected the ID of a run, image files, a folder, or a set such as photos:8", first)
		}
		return fmt.Errorf("--models names no model: expected one or more, separated by commas (see: metamers models)")
	}
	e, err := g.engine()
	if err != nil {
		return err
	}
	if found != nil {
		return c.compareAll(ctx, g, e, found, zero)
	}
	var all []classified
	for _, name := range c.Models {
		m, err := zoo.Lookup(name)
		if err != nil {
			return err
		}
		if m.Classes == 0 && zero == nil {
			return &engine.NoClassifierError{Card: m}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		r, err := c.one(ctx, g, e, m, zero, truth)
		if err != nil {
			return err
		}
		all = append(all, r)
	}
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(all)
	}
	return printClassified(all)
}

// top is how many classes of an image are shown.
func (c *classifyCmd) top() int {
	return cmp.Or(c.Top, 5)
}

// one lets a model look at the images.
func (c *classifyCmd) one(ctx context.Context, g *globals, e *engine.Engine, m *card.Card, zero *engine.ZeroShot, truth map[string]int) (r classified, err error) {
	o := images.Options{Size: m.Input.Size, Filter: m.Input.Filter, Crop: m.Input.Crop}
	if images.IsNamed(c.Images...) && images.IsCIFAR(c.Images[0]) {
		o = images.Options{}
	}
	set, err := withNotes(images.Open(c.Images, o))
	if err != nil {
		return r, err
	}
	if m.Classes > 0 {
		zero = nil
	}
	classes := m.Classes
	if zero != nil {
		classes = len(zero.Classes)
	}
	for _, name := range set.Names {
		if truth[name] >= classes {
			return r, fmt.Errorf("%s gives %s the class %d, and %s has %d classes: expected 0 to %d", c.Labels, name, truth[name], m.Name, classes, classes-1)
		}
	}
	logits, err := c.logits(ctx, g, e, m.Name, set, zero)
	if err != nil {
		return r, err
	}
	r = classified{Model: m.Name, Images: set.Names}
	of := 0
	for i, l := range logits {
		var top []guess // none where a logit is NaN or infinite: the model has no class for the image
		if !allFinite(l) {
			l = nil
		}
		for _, k := range order(l)[:min(max(c.top(), 5), len(l))] {
			top = append(top, guess{k, className(m, zero, k), probability(l, k)})
		}
		want, known := truth[set.Names[i]]
		if truth == nil && set.Labels[i] >= 0 && zero == nil && sameClasses(set, m) {
			want, known = set.Labels[i], true
		}
		if known {
			of++
			for rank, guess := range top[:min(5, len(top))] {
				if guess.Class == want {
					r.hits[1]++
					if rank == 0 {
						r.hits[0]++
					}
				}
			}
		} else if truth != nil {
			return r, fmt.Errorf("%s has no line for the image %s", c.Labels, set.Names[i])
		}
		r.Guesses = append(r.Guesses, top[:min(c.top(), len(top))])
	}
	if of > 0 {
		r.Accuracy = map[string]within{}
		for i, name := range []string{"top-1", "top-5"} {
			low, high := evaluate.Wilson(r.hits[i], of, 0.95)
			r.Accuracy[name] = within{r.hits[i], of, float64(r.hits[i]) / float64(of), low, high}
		}
	}
	return r, nil
}

// className is what class k of a model is called.
func className(m *card.Card, zero *engine.ZeroShot, k int) string {
	if zero != nil && k < len(zero.Names) {
		return zero.Names[k]
	}
	return labels.Name(m.Labels, k)
}

// allFinite reports whether no number is NaN or infinite.
func allFinite(v []float32) bool {
	return !slices.ContainsFunc(v, func(x float32) bool { return x-x != 0 })
}

// logits reads a model's logits and shows the progress.
func (c *classifyCmd) logits(ctx context.Context, g *globals, e *engine.Engine, model string, set *images.Set, zero *engine.ZeroShot) (out [][]float32, err error) {
	bar := newCountBar(g, model, "images classified", set.Len())
	defer bar.clear()
	err = inPieces(ctx, bar, set, c.Batch, func(piece *images.Set) error {
		l, err := e.Logits(model, piece, c.Batch, zero)
		out = append(out, l...)
		return err
	})
	return out, err
}

// sameClasses says whether a set's own labels are the model's classes.
func sameClasses(set *images.Set, m *card.Card) bool {
	names := labels.Names(m.Labels)
	return len(names) > 0 && len(names) == len(set.ClassNames)
}

// order lists the classes, the likeliest first.
func order(l []float32) []int {
	out := make([]int, len(l))
	for i := range out {
		out[i] = i
	}
	slices.SortStableFunc(out, func(a, b int) int { return cmp.Compare(l[b], l[a]) })
	return out
}

// probability is the softmax of class k.
func probability(l []float32, k int) float64 {
	sum := 0.0
	for _, v := range l {
		sum += math.Exp(float64(v) - float64(l[k]))
	}
	return 1 / sum
}

func printClassified(all []classified) error {
	for i, name := range all[0].Images {
		fmt.Println(name)
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		for _, r := range all {
			if len(r.Guesses[i]) == 0 {
				fmt.Fprintf(w, "  %s\tno class: its logits are NaN or infinite\n", r.Model)
			}
			for k, g := range r.Guesses[i] {
				model := r.Model
				if k > 0 {
					model = ""
				}
				fmt.Fprintf(w, "  %s\t%5.1f %%\t%s\n", model, 100*g.Probability, g.Name)
			}
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	for _, r := range all {
		for _, name := range []string{"top-1", "top-5"} {
			if a, ok := r.Accuracy[name]; ok {
				fmt.Printf("%s %s: %d of %d right, %.1f %% (95 %% interval %.1f to %.1f)\n", r.Model, name, a.Right, a.Of, 100*a.Share, 100*a.Low, 100*a.High)
			}
		}
	}
	return nil
}
