package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/train"
	"github.com/ensemble-metamers/metamers/metamerkit/weightfiles"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

type trainCmd struct {
	Arch string `required:"" help:"An architecture of the project's set, a model of the zoo, or a JSON file (see docs/training.md)."`
	Data string `help:"Data: cifar10." enum:"cifar10" default:"cifar10"`
	Name string `help:"Of the model (default: ARCH.mm_c10, with _linf8 or the like behind it for robust ones)."`
	Out  string `help:"Folder of the results; its subfolder NAME has the checkpoint (default: trained)." type:"path" default:"trained"`

	From     string `help:"Begin with the weights of a model or of a .safetensors file of the same architecture, not with random ones." placeholder:"MODEL|FILE"`
	Robust   string `help:"Adversarial training against a threat: linf:8/255, l2:0.5 …" placeholder:"NORM:EPSILON"`
	Method   string `help:"How adversarial images are made: nfgsm (one step that does not collapse), pgd:STEPS or fgsm (default nfgsm)."`
	Fallback bool   `help:"Go on with pgd:3 when fast adversarial training collapses, rather than stop."`

	Epochs    int           `positive:"" help:"Passes over the training images (default 20)."`
	Within    time.Duration `help:"End the schedule after this time, if it is nearer than --epochs: for a job with a time limit. The measurement at the end comes on top." placeholder:"2h"`
	Batch     int           `positive:"" help:"Images a step (default 128)."`
	Optimizer string        `help:"sgd or adamw (default: what the architecture trains well with)."`
	LR        float64       `positive:"" name:"lr" help:"Largest learning rate."`
	Decay     float64       `help:"Weight decay of kernels and matrices; negative: none."`
	Clip      float64       `help:"Largest L2 norm of the gradient."`
	Schedule  string        `help:"onecycle, cosine or constant (default onecycle)."`
	Warmup    float64       `positive:"" help:"Share of the steps in which the learning rate rises (default .3 for onecycle, else .05)."`
	Smoothing float64       `help:"Label smoothing."`
	Crop      int           `help:"Zeros around an image before a random crop (default an eighth of its side); negative: none."`
	NoFlip    bool          `help:"No mirror images."`
	Cutout    int           `help:"Side of a grey square put on each image."`
	Mixup     float64       `help:"α of mixup."`
	Average   string        `help:"Average of the weights: ema:DECAY or swa:SHARE." placeholder:"KIND:NUMBER"`
	Precision string        `help:"auto (bf16 on a GPU), f32 or bf16."`
	Limit     int           `positive:"" help:"Use only so many training images."`
	Seed      uint64        `help:"Of everything random."`

	Every    time.Duration `help:"Between checkpoints." default:"5m"`
	TestOn   int           `help:"Test images measured clean at the end (0: all)." default:"0"`
	AttackOn int           `help:"Test images attacked at the end with PGD-20, 2 restarts." default:"1000"`
}

func (c *trainCmd) Help() string {
	return `Examples:
  metamers train --arch resnet20 --epochs 40
  metamers train --arch resnet20 --robust linf:8/255 --epochs 30
  metamers train --arch resnet20 --from resnet20.mm_c10 --robust linf:8/255
  metamers train --arch vit_4_96 --robust l2:0.5 --method pgd:7 --average ema:0.999

Ctrl-C and kill -9 lose nothing but the time since the last checkpoint: the same
command goes on from there. At the end the folder holds NAME.safetensors, the card
NAME.json and the curves NAME.png; docs/training.md says how to use the model.`
}

// options are the architecture's recipe with the flags that were given.
func (c *trainCmd) options(a train.Architecture) (train.Options, error) {
	o := a.Recipe
	text := func(to *string, v string) {
		if v != "" {
			*to = v
		}
	}
	number := func(to *float64, v float64) {
		if v != 0 {
			*to = v
		}
	}
	if c.Optimizer != "" && c.Optimizer != o.Optimizer {
		o.LR, o.Decay = 0, 0 // the recipe's belong to the other optimiser
	}
	text(&o.Optimizer, c.Optimizer)
	text(&o.Schedule, c.Schedule)
	text(&o.Average, c.Average)
	text(&o.Precision, c.Precision)
	text(&o.Method, c.Method)
	number(&o.LR, c.LR)
	number(&o.Decay, c.Decay)
	number(&o.Clip, c.Clip)
	number(&o.Warmup, c.Warmup)
	number(&o.Smoothing, c.Smoothing)
	number(&o.Mixup, c.Mixup)
	o.Within, o.Epochs, o.Batch, o.Crop, o.NoFlip, o.Cutout, o.Limit, o.Seed = c.Within, c.Epochs, c.Batch, c.Crop, c.NoFlip, c.Cutout, c.Limit, c.Seed
	var err error
	if c.Robust != "" {
		o.Threat, err = train.ParseThreat(c.Robust)
	}
	return o, err
}

// name is ARCH.mm_c10, and behind it the threat.
func (c *trainCmd) name(a train.Architecture, t train.Threat) string {
	if c.Name != "" {
		return c.Name
	}
	name := a.Name + ".mm_c10"
	switch t.Norm {
	case "linf":
		name += fmt.Sprintf("_linf%.3g", t.Epsilon*255)
	case "l2":
		name += fmt.Sprintf("_l2_%.3g", t.Epsilon)
	}
	return name
}

func (c *trainCmd) Run(ctx context.Context, g *globals) error {
	a, err := train.FindArchitecture(c.Arch)
	if err != nil {
		return err
	}
	o, err := c.options(a)
	if err != nil {
		return err
	}
	begin, err := c.begin() // before the data, which takes a while to read
	if err != nil {
		return err
	}
	set, err := images.Open([]string{c.Data + ":train"}, images.Options{})
	if err != nil {
		return err
	}
	name := c.name(a, o.Threat)
	m, err := a.Card(name, set.Size, len(set.ClassNames), c.Data)
	if err != nil {
		return err
	}
	from, err := c.from(begin, m, &o)
	if err != nil {
		return err
	}
	test, err := images.Open([]string{c.Data}, images.Options{})
	if err != nil {
		return err
	}
	b, err := backend.Open(backend.Kind(g.Backend))
	if err != nil {
		return err
	}
	if b.Notice != "" {
		fmt.Fprintln(os.Stderr, b.Notice)
	}
	bar := newTrainBar(g, name)
	r, err := train.Run(ctx, train.Job{Backend: b, Card: m, Train: set, Options: o, From: from, Dir: filepath.Join(c.Out, name), Every: c.Every, Fallback: c.Fallback,
		Progress: bar.show, Warn: bar.warn})
	bar.clear()
	if r != nil && len(r.Points) > 0 {
		f, e := figures.TrainingCurves(curves(name, r))
		if e == nil {
			e = f.Save(filepath.Join(c.Out, name+".png"), 0)
		}
		if err == nil {
			err = e
		}
	}
	if err != nil {
		return err
	}
	return c.finish(ctx, g, b, m, r, o, test)
}

// begin finds the file of weights that the training begins with, "" for random ones.
func (c *trainCmd) begin() (path string, err error) {
	if c.From == "" {
		return "", nil
	}
	name, isModel, err := metamer.NameOrPath("model", c.From, func(n string) bool { _, err := zoo.Lookup(n); return err == nil })
	if err != nil {
		return "", fmt.Errorf("--from: %w", err)
	}
	if !isModel && exists(name) {
		return name, nil
	}
	known, err := zoo.Lookup(name)
	if err != nil {
		return "", fmt.Errorf("--from %s: no such file, and %w", c.From, err)
	}
	found, err := weightfiles.Locate(known)
	return found.Path, err
}

// from reads the weights at path for m, and names them in o.
func (c *trainCmd) from(path string, m *card.Card, o *train.Options) (map[string]*tensors.Tensor, error) {
	if path == "" {
		return nil, nil
	}
	sum, err := weights.Sum(path)
	if err != nil {
		return nil, err
	}
	net, err := zoo.Open(m, path)
	if err != nil {
		return nil, fmt.Errorf("--from %s: %w", c.From, err)
	}
	o.From = filepath.Base(c.From) + " sha256:" + sum
	return net.Weights, nil
}

// finish measures what will be saved and saves it.
func (c *trainCmd) finish(ctx context.Context, g *globals, b *backend.Backend, m *card.Card, r *train.Result, o train.Options, test *images.Set) error {
	w, err := train.Halved(r.Weights)
	if err != nil {
		return err
	}
	net, err := zoo.Build(m)
	if err != nil {
		return err
	}
	if m.Parameters, err = zoo.Parameters(m, net); err != nil {
		return err
	}
	e := train.NewEvaluator(b.Compute, m, &zoo.Net{Forward: net, Weights: w}, 100, test.Size)
	clean, err := measure(ctx, g, e, w, head(test, c.TestOn), train.Attack{})
	if err != nil {
		return err
	}
	m.Measured = []card.Measured{clean}
	threat := o.Threat
	if threat.Norm == "" {
		threat = train.Threat{Norm: "linf", Epsilon: 8. / 255}
	}
	under, err := measure(ctx, g, e, w, head(test, c.AttackOn), train.Attack{Threat: threat, Steps: 20, Restarts: 2})
	if err != nil {
		return err
	}
	m.Measured = append(m.Measured, under)
	m.Training, m.Licence = "standard", "Apache-2.0"
	if o.Threat.Norm != "" {
		m.Training = "robust"
		m.Title += fmt.Sprintf(", adversarially trained (%v)", o.Threat)
	}
	m.Title += ", trained by this project on CIFAR-10"
	m.Weights.Source = "trained by metamers train; see trained.command"
	epochs := 0
	if n := len(r.Points); n > 0 {
		epochs = r.Points[n-1].Epoch
	}
	m.Trained = &card.Trained{Command: command(), Data: "cifar10 train, its last 500 images held out", Seed: o.Seed, Epochs: epochs,
		Date: time.Now().UTC().Format(time.DateOnly), Version: version(), Device: strings.Join(r.Devices, ", "), Events: r.Events}
	if err := train.Export(c.Out, m, w); err != nil {
		return err
	}
	fmt.Printf("%s: %.2f %% of %d test images, %.2f %% of %d under %v\n%s\n", m.Name, clean.Accuracy, clean.Images, under.Accuracy, under.Images, under.Attack, filepath.Join(c.Out, m.Name+".json"))
	return nil
}

func head(s *images.Set, n int) *images.Set {
	if n <= 0 || n >= s.Len() {
		return s
	}
	return s.Slice(0, n)
}

// command is the command line as somebody else would type it.
func command() string { return strings.Join(append([]string{"metamers"}, os.Args[1:]...), " ") }

func curves(name string, r *train.Result) figures.Training {
	t := figures.Training{Name: name}
	for _, p := range r.Points {
		t.Points = append(t.Points, figures.TrainingPoint{Epoch: p.Epoch, Rate: p.Rate, Loss: p.Loss, Accuracy: p.Accuracy, HeldOut: p.HeldOut, Attacked: p.Attacked})
	}
	return t
}
