package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

var unfit = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// card puts together what the flags and the model of --arch say.
func (c *modelsAddCmd) card() (*card.Card, error) {
	m, file := &card.Card{}, c.Weights
	var err error
	switch {
	case c.ONNX != "" && c.Arch == "" && c.Weights == "":
		m, file = blank("onnx"), c.ONNX
	case c.ONNX == "" && c.Arch != "" && c.Weights != "":
		if m, err = archCard(c.Arch); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("expected --arch with --weights, or --onnx alone")
	}
	base := filepath.Base(file)
	m.Name = cmp.Or(c.Name, strings.Trim(unfit.ReplaceAllString(strings.TrimSuffix(base, filepath.Ext(base)), "_"), "_.-"))
	m.Title = cmp.Or(c.Title, m.Name+" (added)")
	m.Weights = card.Weights{File: strings.TrimLeft(unfit.ReplaceAllString(base, "_"), "_.-"), Key: c.Key, Strip: c.Strip, Source: c.Source}
	if err := c.config(m); err != nil {
		return nil, err
	}
	override(&m.Kind, c.Kind)
	override(&m.Training, c.Training)
	override(&m.Labels, c.Labels)
	override(&m.Licence, c.Licence)
	override(&m.Input.Filter, c.Filter)
	override(&m.Input.Order, c.Order)
	override(&m.Input.Size, c.Size)
	override(&m.Input.Crop, c.Crop)
	for _, v := range []struct {
		name string
		to   *[3]float64
		from []float64
	}{{"mean", &m.Input.Mean, c.Mean}, {"std", &m.Input.Std, c.Std}} {
		if v.from != nil {
			if len(v.from) != 3 {
				return nil, fmt.Errorf("--%s has %d numbers, expected three: R,G,B", v.name, len(v.from))
			}
			for _, x := range v.from {
				if math.Abs(x) > 10 {
					return nil, fmt.Errorf("--%s is %v, expected values for pixels in [0,1] (divide by 255)", v.name, x)
				}
			}
			*v.to = [3]float64(v.from)
		}
	}
	for s, layer := range c.Stages {
		if !slices.Contains(metamer.Stages, s) {
			return nil, fmt.Errorf("--stages: %w", metamer.Unknown("stage", s, metamer.Stages))
		}
		m.Stages[s] = card.Layer{Layer: layer, Why: "chosen when the model was added"}
	}
	return m, nil
}

// config merges --config and --classes into the architecture's settings.
func (c *modelsAddCmd) config(m *card.Card) error {
	if m.Family == "onnx" {
		if c.Config != "" {
			return fmt.Errorf("--config needs --arch: an ONNX file contains its whole architecture")
		}
		m.Classes = max(c.Classes, 0)
		return nil
	}
	var err error
	if c.Config != "" {
		if m.Config, err = zoo.MergeConfig(m.Config, json.RawMessage(c.Config)); err != nil {
			return fmt.Errorf("--config: %w", err)
		}
	}
	if c.Classes >= 0 {
		if m.Config, err = zoo.MergeConfig(m.Config, json.RawMessage(fmt.Sprintf(`{"classes":%d}`, c.Classes))); err != nil {
			return fmt.Errorf("--classes: %w", err)
		}
	}
	all, err := zoo.Settings(m)
	for _, s := range all {
		if n, ok := s.Value.(int); ok && s.Name == "classes" {
			m.Classes = n
		}
	}
	return err
}

// blank is a card of a family about which nothing else is known.
func blank(family string) *card.Card {
	return &card.Card{
		Family: family, Kind: "cnn", Training: "standard", Labels: "none", Licence: "unstated", Stages: map[string]card.Layer{},
		Input: card.Input{Size: 224, Mean: [3]float64{.485, .456, .406}, Std: [3]float64{.229, .224, .225}},
	}
}

// archCard is a card of a model's architecture, or of a family, without weights.
func archCard(arch string) (*card.Card, error) {
	like, err := zoo.Lookup(arch)
	if err != nil || like.Family == "onnx" {
		if slices.Contains(zoo.Families(), arch) && arch != "onnx" {
			return blank(arch), nil
		}
		if err == nil {
			return nil, fmt.Errorf("%s is an ONNX file, which cannot be loaded with other weights\n%s", arch, otherwise)
		}
		var unknown *metamer.UnknownError
		if errors.As(err, &unknown) {
			err = fmt.Errorf("%w\n%s", metamer.Unknown("architecture", arch, append(unknown.Known, zoo.Families()...)), otherwise)
		}
		return nil, err
	}
	m := *like
	m.Stages = maps.Clone(like.Stages)
	m.Aliases, m.Measured, m.Trained, m.Weights, m.Licence, m.Parameters = nil, nil, nil, card.Weights{}, "unstated", 0
	return &m, nil
}

// printAssumed says what the card says that no flag gave.
func (c *modelsAddCmd) printAssumed(m *card.Card, proposed []string) {
	from := "ImageNet's"
	if c.Arch != "" {
		from = c.Arch + "'s"
	}
	say := func(what, value string, given bool, flag string) {
		if !given {
			value += fmt.Sprintf(" (%s; %s)", from, flag)
		}
		fmt.Printf("%s: %s\n", what, value)
	}
	number := func(v [3]float64) string {
		return strings.NewReplacer("[", "", "]", "", " ", ",").Replace(fmt.Sprint(v[:]))
	}
	in := m.Input
	order := "RGB"
	if in.Order != "" {
		order = strings.ToUpper(in.Order)
	}
	fmt.Printf("images: %d×%d pixels, %s, in [0,1]; the model gets (image − mean) / std\n", in.Size, in.Size, order)
	say("  mean", number(in.Mean), c.Mean != nil, "--mean")
	say("  std", number(in.Std), c.Std != nil, "--std")
	if m.Classes > 0 {
		names := "without names"
		if m.Labels != "none" && m.Labels != "" {
			names = "named as in " + m.Labels
		}
		fmt.Printf("classes: %d, %s\n", m.Classes, names)
	} else {
		fmt.Println("classes: none (--classes)")
	}
	for _, s := range metamer.Stages {
		why := ""
		switch {
		case slices.Contains(proposed, s):
			why = " (proposed; --stages)"
		case c.Stages[s] == "":
			why = fmt.Sprintf(" (%s's; --stages)", c.Arch)
		}
		fmt.Printf("%s: %s%s\n", s, m.Stages[s].Layer, why)
	}
	if c.Kind == "" || c.Training == "" {
		fmt.Printf("kind: %s, training: %s (assumed; --kind, --training)\n", m.Kind, m.Training)
	}
}
