package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/fetch"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/place"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

type modelsAddCmd struct {
	Arch    string `help:"A model whose architecture and preprocessing the new one has, or a family of the zoo (then give --config)."`
	Weights string `help:"PyTorch file (state dict or checkpoint), safetensors, or the URL of one." placeholder:"FILE|URL"`
	ONNX    string `help:"ONNX file, in place of --arch and --weights." type:"existingfile" placeholder:"FILE"`

	Name     string            `help:"Default: the file's name."`
	Title    string            `help:"For people."`
	Config   string            `help:"The family's settings as JSON, such as {\"depth\":50}."`
	Stages   map[string]string `help:"Layers: early=…,middle=…,late=… (metamers models layers lists them)." mapsep:","`
	Key      string            `help:"Entry of a checkpoint to read, such as state_dict_ema."`
	SHA256   string            `help:"The file's SHA-256, or its first digits, to hold it to." name:"sha256"`
	Size     int               `help:"Pixels a side."`
	Mean     []float64         `help:"R,G,B of pixels in [0,1] (default of ImageNet: .485,.456,.406)."`
	Std      []float64         `help:"R,G,B (default of ImageNet: .229,.224,.225)."`
	Crop     float64           `help:"Share that the centre crop of the model's evaluation keeps."`
	Filter   string            `help:"bicubic or bilinear."`
	Order    string            `help:"Order of channels, rgb or bgr."`
	Classes  int               `help:"Number of classes, 0 for no classifier." default:"-1"`
	Labels   string            `help:"Whose class names, such as imagenet1k or cifar10."`
	Kind     string            `help:"cnn or transformer."`
	Training string            `help:"standard, robust, self-supervised or language-image."`
	Licence  string            `help:"Of the weights."`
	Source   string            `help:"Where the weights were published."`
}

func (c *modelsAddCmd) Help() string {
	return `Examples:
  metamers models add --arch resnet50 --weights imagenet_l2_3_0.pt --name resnet50_l2_3 --training robust
  metamers models add --arch vit --config '{"patch":16,"width":192,"depth":12,"heads":3,"classes":10}' --weights mine.safetensors --size 224 \
      --classes 10 --stages early=blocks.3,middle=blocks.7,late=norm
  metamers models add --onnx net.onnx --size 32 --mean .5,.5,.5 --std .5,.5,.5 --stages early=/relu1,middle=/relu2,late=/pool`
}

var unfit = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

func (c *modelsAddCmd) Run(ctx context.Context, g *globals) error {
	m, err := c.card()
	if err != nil {
		return err
	}
	path := c.ONNX
	if path == "" {
		path = c.Weights
	}
	if strings.HasPrefix(path, "http://") || strings.HasPrefix(path, "https://") {
		m.Weights.URL = path
		to := filepath.Join(place.Cache(), "weights", m.Name, m.Weights.File)
		if _, err := fetch.File(ctx, to, fetch.Request{URL: path, SHA256: c.SHA256, Progress: bytesBar(g, m.Name)}); err != nil {
			return err
		}
		path = to
	}
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	m.Weights.Path, m.Weights.SHA256 = path, c.SHA256
	if m.Weights.Source == "" {
		m.Weights.Source = path
	}
	net, err := zoo.Open(m, path)
	if err != nil {
		return err
	}
	layers, err := net.Layers(m.Input)
	if err != nil {
		return err
	}
	for _, s := range metamer.Stages {
		if l := m.Stages[s].Layer; l == "" {
			return fmt.Errorf("no layer stands for the stage %s: give --stages early=…,middle=…,late=… with layers of: %s", s, strings.Join(layers, ", "))
		} else if _, _, err := net.Reads(m.Input, l); err != nil {
			return fmt.Errorf("stage %s: %w", s, metamer.Unknown("layer", l, layers))
		}
	}
	m.Weights.SHA256 = net.SHA256
	at, err := zoo.AddCard(m)
	if err != nil {
		return err
	}
	for _, n := range net.Notes {
		fmt.Println("read:", n)
	}
	fmt.Printf("%s: card %s\n  weights stay at %s, SHA-256 %s\n", m.Name, at, path, net.SHA256)
	return nil
}

// card puts together what the flags and the model of --arch say.
func (c *modelsAddCmd) card() (*card.Card, error) {
	file := c.Weights
	m := &card.Card{
		Kind: "cnn", Training: "standard", Classes: 0, Labels: "none", Licence: "unstated", Stages: map[string]card.Layer{},
		Input: card.Input{Size: 224, Mean: [3]float64{.485, .456, .406}, Std: [3]float64{.229, .224, .225}},
	}
	switch {
	case c.ONNX != "" && c.Arch == "" && c.Weights == "":
		m.Family, file = "onnx", c.ONNX
	case c.ONNX == "" && c.Arch != "" && c.Weights != "":
		like, err := zoo.Lookup(c.Arch)
		switch {
		case err == nil:
			base := *like
			base.Stages = map[string]card.Layer{}
			for s, l := range like.Stages {
				base.Stages[s] = l
			}
			base.Aliases, base.Measured, base.Weights, base.Licence = nil, nil, card.Weights{}, "unstated"
			m = &base
		case slices.Contains(zoo.Families(), c.Arch):
			m.Family = c.Arch
		default:
			var unknown *metamer.UnknownError
			if errors.As(err, &unknown) {
				err = metamer.Unknown("architecture", c.Arch, append(unknown.Known, zoo.Families()...))
			}
			return nil, err
		}
	default:
		return nil, fmt.Errorf("expected --arch with --weights, or --onnx alone")
	}
	base := filepath.Base(file)
	if m.Name = c.Name; m.Name == "" {
		m.Name = strings.Trim(unfit.ReplaceAllString(strings.TrimSuffix(base, filepath.Ext(base)), "_"), "_.-")
	}
	m.Title = c.Title
	if m.Title == "" {
		m.Title = m.Name + " (added)"
	}
	m.Weights = card.Weights{File: strings.TrimLeft(unfit.ReplaceAllString(base, "_"), "_.-"), Key: c.Key, Source: c.Source}
	if c.Config != "" {
		m.Config = json.RawMessage(c.Config)
	}
	for _, s := range []struct {
		to   *string
		from string
	}{{&m.Kind, c.Kind}, {&m.Training, c.Training}, {&m.Labels, c.Labels}, {&m.Licence, c.Licence}, {&m.Input.Filter, c.Filter}, {&m.Input.Order, c.Order}} {
		if s.from != "" {
			*s.to = s.from
		}
	}
	for _, v := range []struct {
		name string
		to   *[3]float64
		from []float64
	}{{"mean", &m.Input.Mean, c.Mean}, {"std", &m.Input.Std, c.Std}} {
		if v.from != nil {
			if len(v.from) != 3 {
				return nil, fmt.Errorf("--%s has %d numbers, expected three: R,G,B", v.name, len(v.from))
			}
			*v.to = [3]float64(v.from)
		}
	}
	if c.Size != 0 {
		m.Input.Size = c.Size
	}
	if c.Crop != 0 {
		m.Input.Crop = c.Crop
	}
	if c.Classes >= 0 {
		m.Classes = c.Classes
	}
	for s, layer := range c.Stages {
		if !slices.Contains(metamer.Stages, s) {
			return nil, fmt.Errorf("--stages: %w", metamer.Unknown("stage", s, metamer.Stages))
		}
		m.Stages[s] = card.Layer{Layer: layer, Why: "chosen when the model was added"}
	}
	return m, nil
}
