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
	Arch string `required:"" help:"Architecture: a built-in one, a model of the zoo, or a JSON file (see docs/training.md)."`
	Data string `help:"Training data: cifar10." enum:"cifar10" default:"cifar10"`
	Name string `help:"Name of the model (default: ARCH.mm_c10, with a suffix such as _linf8 for robust models)."`
	Out  string `help:"Output folder. Checkpoints are in its subfolder NAME (default: trained)." type:"path" default:"trained"`

	From     string `help:"Initialise with the weights of a model or .safetensors file of the same architecture instead of random weights." placeholder:"MODEL|FILE"`
	Robust   string `help:"Train adversarially against this threat, such as linf:8/255 or l2:0.5." placeholder:"NORM:EPSILON"`
	Method   string `help:"Attack used in adversarial training: nfgsm (one step, without catastrophic overfitting), pgd:STEPS or fgsm (default nfgsm)."`
	Fallback bool   `help:"Continue with pgd:3 if fast adversarial training collapses, instead of stopping."`

	Epochs    int           `positive:"" help:"Number of passes over the training images (default 20)."`
	Within    time.Duration `help:"End the schedule after this time if that is earlier than --epochs, for jobs with a time limit. The final evaluation takes additional time." placeholder:"2h"`
	Batch     int           `positive:"" help:"Batch size (default 128)."`
	Optimizer string        `help:"Optimiser: sgd or adamw (default: that of the architecture)."`
	LR        float64       `positive:"" name:"lr" help:"Maximum learning rate."`
	Decay     float64       `help:"Weight decay of kernels and matrices. A negative value turns it off."`
	Clip      float64       `help:"Maximum L2 norm of the gradient; larger gradients are clipped."`
	Schedule  string        `help:"Learning-rate schedule: onecycle, cosine or constant (default onecycle)."`
	Warmup    float64       `positive:"" help:"Fraction of the steps in which the learning rate rises (default .3 for onecycle, else .05)."`
	Smoothing float64       `help:"Label smoothing, in [0,1)."`
	Crop      int           `help:"Zero padding before a random crop, in pixels (default: an eighth of the side). A negative value turns crops off."`
	NoFlip    bool          `help:"Do not flip images horizontally."`
	Cutout    int           `help:"Side length in pixels of a grey square placed on each image."`
	Mixup     float64       `help:"Parameter α of mixup."`
	Average   string        `help:"Weight averaging: ema:DECAY or swa:SHARE." placeholder:"KIND:NUMBER"`
	Precision string        `help:"Precision of training: auto (bf16 on a GPU, else f32), f32 or bf16."`
	Limit     int           `positive:"" help:"Maximum number of training images."`
	Seed      uint64        `help:"Random seed for initial weights, shuffling, augmentation and attacks."`

	Every    time.Duration `help:"Time between checkpoints." default:"5m"`
	TestOn   int           `help:"Number of test images for the final clean accuracy (0: all)." default:"0"`
	AttackOn int           `help:"Number of test images for the final accuracy under PGD-20 with 2 restarts." default:"1000"`
}

func (c *trainCmd) Help() string {
	return `Examples:
  metamers train --arch resnet20 --epochs 40
  metamers train --arch resnet20 --robust linf:8/255 --epochs 30
  metamers train --arch resnet20 --from resnet20.mm_c10 --robust linf:8/255
  metamers train --arch vit_4_96 --robust l2:0.5 --method pgd:7 --average ema:0.999

After Ctrl-C or a kill the same command resumes from the last checkpoint. At the end the
output folder has NAME.safetensors, the card NAME.json and the curves NAME.png. See
docs/training.md for how to use the model.`
}

// options are the architecture's recipe with the flags that were given.
func (c *trainCmd) options(a train.Architecture) (train.Options, error) {
	o := a.Recipe
	if c.Optimizer != "" && c.Optimizer != o.Optimizer {
		o.LR, o.Decay = 0, 0 // the recipe's belong to the other optimiser
	}
	override(&o.Optimizer, c.Optimizer)
	override(&o.Schedule, c.Schedule)
	override(&o.Average, c.Average)
	override(&o.Precision, c.Precision)
	override(&o.Method, c.Method)
	override(&o.LR, c.LR)
	override(&o.Decay, c.Decay)
	override(&o.Clip, c.Clip)
	override(&o.Warmup, c.Warmup)
	override(&o.Smoothing, c.Smoothing)
	override(&o.Mixup, c.Mixup)
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
	b, err := g.backend()
	if err != nil {
		return err
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
