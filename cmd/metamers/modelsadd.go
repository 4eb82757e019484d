package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/engine"
	"github.com/ensemble-metamers/metamers/metamerkit/fetch"
	"github.com/ensemble-metamers/metamers/metamerkit/labels"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

type modelsAddCmd struct {
	Arch    string `help:"Model or family of the zoo whose architecture the weights have (metamers models show --arch NAME lists its settings)."`
	Weights string `help:"File of torch.save (state dict or checkpoint), safetensors, or the URL of one." placeholder:"FILE|URL"`
	ONNX    string `help:"ONNX file, in place of --arch and --weights." type:"existingfile" placeholder:"FILE"`

	Name     string            `help:"Name of the new model (default: the file's name)."`
	Title    string            `help:"Title for tables and figures."`
	Config   string            `help:"Settings of the architecture to change, as JSON, such as {\"depth\":50}."`
	Stages   map[string]string `help:"Layers for the stages: early=…,middle=…,late=… (default: those of --arch, else proposals)." mapsep:","`
	Key      string            `help:"Entry of the checkpoint to read, such as state_dict_ema or last.model."`
	Strip    string            `help:"Prefix of the names of the network's tensors, such as student.backbone." placeholder:"PREFIX"`
	SHA256   string            `help:"SHA-256 that the file must have, or its first digits." name:"sha256"`
	Size     int               `positive:"" help:"Image size in pixels a side."`
	Mean     []float64         `help:"Mean that the model subtracts, R,G,B of pixels in [0,1] (default: ImageNet's, .485,.456,.406)."`
	Std      []float64         `help:"Standard deviation that it divides by, R,G,B (default: ImageNet's, .229,.224,.225)."`
	Crop     float64           `positive:"" help:"Share of the image that the centre crop of the model's own evaluation keeps."`
	Filter   string            `help:"Resampling of the model's own evaluation: bicubic or bilinear."`
	Order    string            `help:"Order of the channels: rgb or bgr."`
	Classes  int               `help:"Number of classes (default: that of --arch, or of the ONNX file); 0 for a network without a classifier, whose output is the embedding." default:"-1"`
	Labels   string            `help:"Class names: imagenet1k, cifar10 or none."`
	Kind     string            `help:"Kind of network: cnn or transformer."`
	Training string            `help:"Training: standard, robust, self-supervised or language-image."`
	Licence  string            `help:"Licence of the weights."`
	Source   string            `help:"Where the weights were published."`
	Check    string            `help:"Activations and logits that PyTorch computed, to compare with (see below)." type:"path" placeholder:"FILE.npz"`
}

func (c *modelsAddCmd) Help() string {
	return `Examples:
  metamers models add --arch resnet18 --classes 10 --weights finetuned.pt
  metamers models add --arch resnet50 --weights imagenet_l2_3_0.pt --training robust
  metamers models add --onnx net.onnx --size 224 --check check.npz

The model's answer to one photograph must be finite. --check also compares its
activations with PyTorch's. This script makes the file:

` + indented(checkScript) + `
Any network comes in as an ONNX file:

` + indented(exportLine) + `
docs/your-own-model.md goes through all of it.`
}

// checkScript makes a file for --check; docs/your-own-model.md has it too.
const checkScript = `import numpy, torch
x, seen = torch.rand(2, 3, 224, 224), {}  # pixels in [0,1]
def keep(name): return lambda module, args, out: seen.update({name: out})
for name in "layer1", "layer3":  # layers by their names here
    model.get_submodule(name).register_forward_hook(keep(name))
seen["logits"] = model.eval()((x - mean) / std)  # mean, std: [3,1,1]
numpy.savez("check.npz", images=x, **{k: seen[k].detach() for k in seen})
`

// exportLine writes an ONNX file.
const exportLine = `torch.onnx.export(model.eval(), torch.rand(1, 3, 224, 224), "net.onnx")
`

func indented(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n  ") + "\n"
}

func (c *modelsAddCmd) Run(ctx context.Context, g *globals) error {
	if c.Check != "" { // before the model computes
		if _, err := os.Stat(c.Check); err != nil {
			return fmt.Errorf("--check: %w", err)
		}
	}
	m, err := c.card()
	if err != nil {
		return err
	}
	if err := zoo.Free(m); err != nil {
		return err
	}
	if err := c.locate(ctx, g, m); err != nil {
		return err
	}
	net, err := zoo.Open(m, m.Weights.Path)
	if err != nil {
		var mismatch *zoo.MismatchError
		if errors.As(err, &mismatch) && mismatch.Classes == 0 && !mismatch.Headless {
			err = fmt.Errorf("%w\n%s", err, otherwise)
		}
		return err
	}
	m.Weights.SHA256 = net.SHA256
	layers, err := net.Describe(m.Input)
	if err != nil {
		return err
	}
	if err := c.classes(m, layers); err != nil {
		return err
	}
	proposed, err := c.stages(m, layers)
	if err != nil {
		return err
	}
	e, err := g.engine()
	if err != nil {
		return err
	}
	for _, n := range net.Notes {
		fmt.Println("read:", n)
	}
	c.printAssumed(m, proposed)
	if err := c.check(ctx, e, m, layers); err != nil {
		return err
	}
	at, err := zoo.AddCard(m)
	if err != nil {
		return err
	}
	fmt.Printf("added %s: card %s\n  weights stay at %s\n  SHA-256 %s\n", m.Name, at, m.Weights.Path, net.SHA256)
	return nil
}

// check lets the model compute before its card is written.
func (c *modelsAddCmd) check(ctx context.Context, e *engine.Engine, m *card.Card, layers []zoo.Layer) error {
	if err := zoo.Introduce(m); err != nil {
		return err
	}
	defer zoo.Withdraw(m.Name)
	if err := checkPhotograph(e, m); err != nil {
		return err
	}
	if err := checkGradient(ctx, e, m); err != nil || c.Check == "" {
		return err
	}
	return checkAgainst(e, m, layers, c.Check)
}

// otherwise tells what else can be done with a network.
var otherwise = "An architecture that the zoo does not have comes in as an ONNX file:\n" + indented(exportLine) + "  metamers models add --onnx net.onnx"

// locate says where the weights lie, after downloading them if need be.
func (c *modelsAddCmd) locate(ctx context.Context, g *globals, m *card.Card) error {
	path := cmp.Or(c.ONNX, c.Weights)
	if strings.HasPrefix(path, "http://") || strings.HasPrefix(path, "https://") {
		m.Weights.URL = path
		to := filepath.Join(paths.Cache(), "weights", m.Name, m.Weights.File)
		show, clear := bytesBar(g, m.Name)
		_, err := fetch.File(ctx, to, fetch.Request{URL: path, SHA256: c.SHA256, Progress: show})
		clear()
		if err != nil {
			return err
		}
		path = to
	}
	path, err := filepath.Abs(path)
	m.Weights.Path, m.Weights.SHA256 = path, c.SHA256
	m.Weights.Source = cmp.Or(m.Weights.Source, path)
	return err
}

// classes takes the number of classes from the logits where no flag gives it, and drops the
// names of other classes.
func (c *modelsAddCmd) classes(m *card.Card, layers []zoo.Layer) error {
	if last := layers[len(layers)-1]; last.Name == "logits" && c.Classes < 0 {
		if len(last.Shape) != 1 {
			return fmt.Errorf("%s: the output is %v for each image, expected one number for each class: export a network that ends in its logits, or give --classes 0 to use the layers of this one", c.ONNX, last.Shape)
		}
		m.Classes = last.Shape[0]
	}
	if n := len(labels.Names(m.Labels)); n > 0 && n != m.Classes {
		fmt.Printf("dropped: the class names of %s, which are %d, for %d classes\n", m.Labels, n, m.Classes)
		m.Labels = "none"
	}
	return nil
}

// stages chooses layers for the stages that have none, and says for which.
func (c *modelsAddCmd) stages(m *card.Card, layers []zoo.Layer) (proposed []string, err error) {
	var names []string
	for _, l := range layers {
		names = append(names, l.Name)
	}
	offers := zoo.Propose(layers)
	for _, s := range metamer.Stages {
		l := m.Stages[s].Layer
		if l != "" && (c.ONNX != "" || slices.Contains(names, l)) {
			continue // of an ONNX file a layer may also be called by its tensor, and Open has looked
		}
		if c.Stages[s] != "" {
			return nil, fmt.Errorf("stage %s: %w (metamers models layers lists them)", s, metamer.Unknown("layer", l, names))
		}
		m.Stages[s] = card.Layer{Layer: offers[s], Why: "proposed by the share of the computation"}
		proposed = append(proposed, s)
	}
	return proposed, nil
}
