package main

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"

	"github.com/ensemble-metamers/metamers/metamerkit/engine"
	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/study"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// imageFlags say which images.
type imageFlags struct {
	Images imageSpec `help:"Reference images: cifar10, cifar10:N, cifar10:FROM-TO, cifar10:train:N, photos, photos:N, scenes, scenes:N (embedded photographs), a folder, or files such as *.jpg. All values up to the next flag are taken (default: photos:16 at 32² where all models take images of at most 32², scenes:16 at 224² otherwise)." placeholder:"SET" predictor:"images"`
	Size   int       `positive:"" help:"Side length of the images in pixels (default: 32 for cifar10, 224 for scenes, photos and files)."`
	Filter string    `help:"Resampling filter for image files: bicubic or bilinear." enum:"bicubic,bilinear" default:"bicubic"`
}

func (f imageFlags) open() (*images.Set, error) {
	return withNotes(images.Open(f.Images, images.Options{Size: f.Size, Filter: f.Filter}))
}

// defaults names the images that were left open, by their size or that of the models' input.
func (f imageFlags) defaults(models []string) imageFlags {
	if f.Images != nil {
		return f
	}
	small := func(name string) bool {
		c, err := zoo.Lookup(name)
		return err == nil && c.Input.Size <= 32
	}
	if f.Size == 0 && !slices.ContainsFunc(models, func(m string) bool { return !small(m) }) {
		f.Size = 32
	}
	f.Images = imageSpec{images.Default(f.Size)}
	return f
}

// recipeFlags are the settings of a recipe; zero values are its defaults.
type recipeFlags struct {
	Paper       bool     `help:"Use the paper's procedure, projected gradient descent with 5000 steps. Other flags override its settings."`
	Steps       int      `positive:"" help:"Number of optimisation steps (default: 1000). If the optimizer chooses another one, such as the default: number of gradient evaluations (default: 400, with --against or --variants 1000)."`
	Evaluations int      `positive:"" help:"Number of model gradient evaluations for each image, in place of --steps. With a schedule that evaluates all members at every step, it is divided by the number of members and of models of --against."`
	Schedule    string   `help:"switch, switch:EVERY, switch:EVERY:random or average (default: the optimizer's own, such as switch:10 for pgd)." predictor:"schedule"`
	Optimizer   string   `help:"Optimizer (default: ${default_optimizer}): ${optimizers}." predictor:"optimizer"`
	Metric      string   `help:"1/f, natural or pixels. ${metric}." predictor:"metric"`
	StepSize    float64  `positive:"" help:"Step size. ${stepSize}."`
	Halvings    int      `positive:"" help:"${halvings}."`
	Momentum    float64  `positive:"" help:"${momentum}."`
	Beta2       float64  `positive:"" help:"${beta2}."`
	Memory      int      `positive:"" help:"${memory}."`
	Loss        string   `help:"${losses}." default:"relative-l2" predictor:"loss"`
	Penalty     []string `help:"Add an image regulariser, ${penalties}. Results name it." placeholder:"NAME=WEIGHT"`
	Start       string   `help:"noise (default), grey, uniform, reference, or an image file." predictor:"start"`
	WarmUp      string   `help:"Spend the first evaluations at another stage, such as middle:40, or in another precision, such as late:200:mixed. Not every optimizer can. Results name it." placeholder:"STAGE:EVALUATIONS[:PRECISION]"`
	Round       int      `positive:"" help:"Number of further steps on the images rounded to 8 bits, so that PNG files of the metamers match too. Each evaluates every model. The default is no such step. Results name it." placeholder:"STEPS"`
	StopLoss    float64  `help:"Stop an image when every member's loss is at most this."`
	Patience    int      `help:"Stop an image after this many steps without progress."`
	PlainRelu   bool     `help:"Use the plain gradient of a tapped ReLU, which is zero for inactive units."`
	Precision   string   `help:"Number format of the members: float32; bfloat16, which halves the memory of matrices and kernels and rounds them to 8 bits of mantissa; or mixed, in which activations and their gradients are bfloat16 too (fast on a GPU). Match statistics are computed in float32." enum:"float32,bfloat16,mixed" default:"float32"`
	Batch       string   `help:"Number of images optimised together. auto takes as many as fill the device and fit its memory, in equal batches." default:"16"`
	Seed        uint64   `help:"Random seed for initial images and shuffled schedules."`
}

// recipe is the one for a set of models at a stage, and for what its metamers are to differ.
func (f recipeFlags) recipe(models []string, stage string, apart againstFlags) (r metamer.Recipe, err error) {
	batch, err := metamer.ParseBatch(f.Batch)
	if err != nil {
		return r, err
	}
	r = metamer.Recipe{
		Stage: stage, Steps: f.Steps, Loss: f.Loss, Precision: f.Precision, Batch: batch, Seed: f.Seed, PlainReLU: f.PlainRelu, Round: f.Round,
		Optimizer: metamer.Optimizer{Name: f.Optimizer, StepSize: f.StepSize, Halvings: f.Halvings, Momentum: f.Momentum, Beta2: f.Beta2, Metric: f.Metric, Memory: f.Memory},
		Stop:      metamer.Stop{Loss: f.StopLoss, Patience: f.Patience}, Start: metamer.Start{Kind: f.Start},
	}
	r.Models = metamer.Refs(models...)
	if err := apart.put(&r); err != nil {
		return r, err
	}
	if r.Schedule, err = metamer.ParseSchedule(f.Schedule); err != nil {
		return r, err
	}
	if f.Paper {
		if err := metamer.CheckPaper(metamer.Optimizer{Name: f.Optimizer}); err != nil {
			return r, err
		}
		if f.Evaluations == 0 {
			r = r.Paper()
		} else {
			r.Optimizer = r.Paper().Optimizer
		}
	}
	if f.Evaluations < 0 || f.Evaluations > 0 && f.Steps > 0 {
		return r, fmt.Errorf("evaluations %d and steps %d: expected one of them, above 0", f.Evaluations, f.Steps)
	}
	if f.Evaluations > 0 {
		one := r.WithDefaults()
		r.Steps = max(1, f.Evaluations/one.Evaluations(1))
	}
	if r.WarmUp, err = metamer.ParseWarmUp(f.WarmUp); err != nil {
		return r, err
	}
	for _, p := range f.Penalty {
		name, weight, ok := strings.Cut(p, "=")
		w, err := strconv.ParseFloat(weight, 64)
		if !ok || err != nil {
			return r, fmt.Errorf("penalty %q: expected NAME=WEIGHT, such as tv=0.1", p)
		}
		r.Penalties = append(r.Penalties, metamer.Penalty{Name: name, Weight: w})
	}
	return r, nil
}

// request is recipe, with the initial images where they are given.
func (f recipeFlags) request(models []string, stage string, apart againstFlags, set *images.Set, filter string) (r metamer.Recipe, given *images.Set, err error) {
	if r, err = f.recipe(models, stage, apart); err != nil {
		return r, nil, err
	}
	if f.Start == "" { // the recipe's default
		return r, nil, nil
	}
	name, isName, err := metamer.NameOrPath("start", f.Start, func(n string) bool { return n != "image" && slices.Contains(metamer.Starts, n) })
	if err != nil {
		return r, nil, err
	}
	if r.Start.Kind = name; !isName {
		r.Start.Kind = "image"
		if given, err = withNotes(images.Open([]string{name}, images.Options{Size: set.Size, Filter: filter})); err != nil {
			return r, nil, fmt.Errorf("start: %w", err)
		}
	}
	return r, given, nil
}

type synthCmd struct {
	Models []string `required:"" help:"Names of the model set's members, separated by commas (see: metamers models)." predictor:"models"`
	Stage  string   `required:"" help:"Stage at which activations are matched: early, middle, late, or the name of a layer." predictor:"stage"`
	againstFlags
	imageFlags
	recipeFlags
	nullFlag
	storeFlag
	Checkpoint time.Duration `help:"Time between checkpoints." default:"30s"`
}

func (c *synthCmd) Help() string {
	return `Examples:
  metamers synth --models resnet20 --stage late --images cifar10:16
  metamers synth --models resnet2b,resnet4b --stage middle --images photos/ --size 32 --paper
  metamers synth --models resnet20,vit --stage late --images cifar10:8 --optimizer adam --schedule average
  metamers synth --models resnet20,resnet4b --stage late --images cifar10:16 --evaluations 200
  metamers synth --models plain7_48.mm_c10 --against vit_4_96.mm_c10 --stage late --images photos:8 --size 32
  metamers synth --models plain7_48.mm_c10 --stage late --images photos:8 --size 32 --variants 4

After Ctrl-C the same command resumes. A stored run is shown at once.`
}

func (c *synthCmd) Run(ctx context.Context, g *globals) error {
	set, err := c.defaults(c.Models).open()
	if err != nil {
		return err
	}
	took := newParts()
	q := engine.Request{Images: set, CheckpointEvery: c.Checkpoint, Extra: extras(set)}
	if q.Recipe, q.Given, err = c.request(c.Models, c.Stage, c.againstFlags, set, c.Filter); err != nil {
		return err
	}
	if q.Recipe.Null.Name, err = nullName(c.Null); err != nil {
		return err
	}
	store, err := c.storeFlag.open()
	if err != nil {
		return err
	}
	q.Store = store.Where()
	e, err := g.engine()
	if err != nil {
		return err
	}
	took.enter("models")
	run, err := synthesize(ctx, g, e, q, &took)
	if err != nil {
		return err
	}
	took.enter("")
	return report(g, run, &took)
}

// extras are the pictures that go with every run.
func extras(set *images.Set) func(*metamer.Run) map[string]func(string) error {
	return func(run *metamer.Run) map[string]func(string) error {
		files := map[string]func(string) error{
			"contact.png": func(p string) error {
				return savePNG(p, func() (image.Image, error) {
					return figures.Contact(fmt.Sprintf("Metamers of %s", set.Name), set, run)
				})
			},
		}
		// A run without any finite loss is saved without the plot.
		if _, err := figures.Loss(run); err == nil {
			files["loss.png"] = func(p string) error { return figures.SaveLoss(p, run) }
		} else {
			fmt.Fprintln(os.Stderr, "warning: no loss plot:", err)
		}
		return files
	}
}

func savePNG(path string, draw func() (image.Image, error)) error {
	m, err := draw()
	if err != nil {
		return err
	}
	return images.WriteImage(path, m)
}

// synthesize runs a request. It says first what it will do and, before it computes, how long
// that takes.
func synthesize(ctx context.Context, g *globals, e *engine.Engine, q engine.Request, took *parts) (*metamer.Run, error) {
	bar := newBar(g, strings.Join(q.Recipe.ModelNames(), "+")+" "+q.Recipe.Stage, q.Recipe.TappedNames())
	one := forecastOne(bar, e, q)
	q.Progress = took.progress(func(p metamer.Progress) {
		switch p.Phase {
		case metamer.Opening:
			bar.note(startLine(q))
		case metamer.Compiling:
			bar.note(oneLine(bar, one))
		}
		one.See(p)
		bar.show(p)
	})
	q.Warn = bar.warn
	run, err := e.Synthesize(ctx, q)
	if err == nil && !run.Cached {
		if err := one.Learn(run); err != nil {
			bar.warn(err.Error())
		}
	}
	bar.clear()
	return run, err
}

// startLine says what a run is made of.
func startLine(q engine.Request) string {
	r := q.Recipe.WithDefaults()
	return fmt.Sprintf("%s; %s at %s; %s, %s an image; null distribution: %s", imagesLine(q.Images),
		strings.Join(r.ModelNames(), " + ")+r.Opponents(), r.Stage, r.Optimizer.Name, english.Plural(r.Evaluations(r.AllSteps()), "gradient evaluation", ""), r.NullOf())
}

// imagesLine says how many images are used, where they come from and how large they are.
func imagesLine(set *images.Set) string {
	return fmt.Sprintf("%s of %s (%s), %d² pixels", english.Plural(set.Len(), "image", ""), set.Name, few(set.Names), set.Size)
}

// few are the first of several names, and how many more there are.
func few(names []string) string {
	const most = 4
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most-1], ", "), len(names)-most+1)
}

// forecastOne begins the forecast of a run, in which models have their full names.
func forecastOne(bar *bar, e *engine.Engine, q engine.Request) *study.One {
	r := q.Recipe.WithDefaults()
	full := func(models []metamer.ModelRef) []metamer.ModelRef {
		models = slices.Clone(models)
		for i, m := range models {
			if c, err := zoo.Lookup(m.Name); err == nil { // else the engine says what is wrong
				models[i].Name = c.Name
			}
		}
		return models
	}
	r.Models = full(r.Models)
	if r.Against != nil {
		against := *r.Against
		against.Models, r.Against = full(against.Models), &against
	}
	speeds, err := openSpeeds(e)
	if err != nil {
		bar.warn(err.Error())
	}
	return study.NewOne(r, q.Images, speeds)
}

// oneLine is the forecast in a line; where it is not known the bar gives one after the first
// steps.
func oneLine(bar *bar, one *study.One) string {
	if d, known := one.Expected(); known {
		return "expected: about " + about(d)
	}
	bar.unknown = true
	return "the time is not known for these models on this machine; the first steps show it"
}

// orNull returns the values with nil in place of NaN, which JSON cannot hold.
func orNull(values []float64) (out []*float64) {
	for _, v := range values {
		if out = append(out, &v); math.IsNaN(v) {
			out[len(out)-1] = nil
		}
	}
	return out
}

// report prints what a run gave, and where the time went if took is not nil.
func report(g *globals, run *metamer.Run, took *parts) error {
	if g.JSON {
		pass, tested := run.Tally()
		var apart *int
		distances, starts := run.Spread()
		if run.Recipe.Against != nil {
			n, _ := run.Parted()
			apart = &n
		}
		return json.NewEncoder(os.Stdout).Encode(struct {
			ID, Dir    string
			Recipe     metamer.Recipe
			Names      []string // of the images
			Statistics []metamer.MatchStatistics
			Nulls      []metamer.Null
			Passed     int
			// Of the models that the run is against, and how many images are metamers for every
			// member and for none of them.
			Against      []metamer.MatchStatistics `json:",omitempty"`
			AgainstNulls []metamer.Null            `json:",omitempty"`
			Apart        *int                      `json:",omitempty"`
			// Of each image the mean distance of two variants, and of their starts; null: fewer
			// than two are metamers.
			Distances, Starts []*float64 `json:",omitempty"`
			Tested            int        // images
			Cached            bool
			StepsRun          int
			// Evaluations of one model's gradient, of the image that took the most.
			Evaluations int
			Seconds     float64
			Stopped     string
			Parts       *parts `json:",omitempty"` // of the command's wall time
		}{run.ID, run.Dir, run.Recipe, run.Names, run.Statistics, run.Nulls, pass, run.Against, run.AgainstNulls, apart, orNull(distances), orNull(starts), tested, run.Cached, run.StepsRun, run.Recipe.Evaluations(run.StepsRun), run.Seconds, run.Stopped, took})
	}
	state := fmt.Sprintf("%s, %d steps, %d gradient evaluations, in %.1f s", run.Recipe.Optimizer.Name, run.StepsRun, run.Recipe.Evaluations(run.StepsRun), run.Seconds)
	if run.Cached {
		state = "already stored"
	}
	fmt.Printf("run %s (%s): %s\n", run.ID, state, run.Verdict())
	for _, line := range matchTable(run) {
		fmt.Println("  " + line)
	}
	if run.Stopped != "" {
		fmt.Println("  stopped:", run.Stopped)
	}
	if took != nil && !run.Cached {
		fmt.Println("  in " + took.String())
	}
	if run.Dir != "" {
		fmt.Println("  " + run.Dir + "/contact.png")
	}
	return nil
}
