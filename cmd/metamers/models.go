package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/depot"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

type modelsCmd struct {
	List   modelsListCmd   `cmd:"" default:"1" help:"List the models."`
	Show   modelsShowCmd   `cmd:"" help:"Show a model's card and what was read."`
	Layers modelsLayersCmd `cmd:"" help:"List what can be tapped in a model, with shapes."`
	Check  modelsCheckCmd  `cmd:"" help:"Check a model's weight file."`
	Pull   modelsPullCmd   `cmd:"" help:"Download a model's weights."`
	Add    modelsAddCmd    `cmd:"" help:"Add a model of your own from a weight file or an ONNX file."`
	Rm     modelsRmCmd     `cmd:"" help:"Remove the card of a model that you added."`
}

type modelsListCmd struct{}

func (modelsListCmd) Run(g *globals) error {
	fmt.Printf("%-20s %-12s %-10s %-8s %s\n", "name", "kind", "training", "weights", "title")
	for _, n := range zoo.Names() {
		c, err := zoo.Lookup(n)
		if err != nil {
			fmt.Printf("%-20s %v\n", n, err)
			continue
		}
		here := "here"
		if _, err := depot.Locate(c); err != nil {
			here = "missing"
		}
		fmt.Printf("%-20s %-12s %-10s %-8s %s", c.Name, c.Kind, c.Training, here, c.Title)
		if len(c.Aliases) > 0 {
			fmt.Printf(" (also: %s)", strings.Join(c.Aliases, ", "))
		}
		fmt.Println()
	}
	return nil
}

// opened finds a model's file and reads it.
func opened(c *card.Card) (depot.Found, *zoo.Net, error) {
	f, err := depot.Locate(c)
	if err != nil {
		return f, nil, err
	}
	held := *c
	held.Weights.SHA256 = f.Want
	net, err := zoo.Open(&held, f.Path)
	return f, net, err
}

type modelsShowCmd struct {
	Name string `arg:""`
}

func (m modelsShowCmd) Run(g *globals) error {
	c, err := zoo.Lookup(m.Name)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", "  ")
	if err := enc.Encode(c); err != nil || g.JSON {
		return err
	}
	f, net, err := opened(c)
	if missing := (*depot.MissingError)(nil); errors.As(err, &missing) {
		fmt.Println(err)
		return nil
	}
	if err != nil {
		return err
	}
	held := map[string]string{"card": "as its card says", "lock": "as pinned in " + depot.LockPath(), "": "neither its card nor the lock says what it should be"}[f.From]
	fmt.Printf("weights: %s\nSHA-256: %s (%s)\n", f.Path, net.SHA256, held)
	for _, n := range net.Notes {
		fmt.Println("read:", n)
	}
	return printLayers(c, net)
}

type modelsLayersCmd struct {
	Name string `arg:"" help:"A model, or an ONNX file."`
	Size int    `help:"Pixels a side of an ONNX file's images." default:"224"`
}

func (m modelsLayersCmd) Run(g *globals) error {
	if filepath.Ext(m.Name) == ".onnx" {
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
	layers, err := net.Layers(c.Input)
	if err != nil {
		return err
	}
	fmt.Printf("%-36s %-18s %s\n", "layer", "shape for an image", "stage")
	for _, l := range layers {
		_, shapes, err := net.Reads(c.Input, l)
		if err != nil {
			return err
		}
		var stages []string
		for _, s := range metamer.Stages {
			if c.Stages[s].Layer == l {
				stages = append(stages, s)
			}
		}
		fmt.Printf("%-36s %-18s %s\n", l, fmt.Sprint(shapes[0].Dimensions[1:]), strings.Join(stages, ", "))
	}
	return nil
}

type modelsCheckCmd struct {
	Names []string `arg:"" optional:"" help:"All models by default."`
}

func (m modelsCheckCmd) Run() error {
	if len(m.Names) == 0 {
		m.Names = zoo.Names()
	}
	bad := 0
	for _, n := range m.Names {
		c, err := zoo.Lookup(n)
		var f depot.Found
		if err == nil {
			f, _, err = opened(c)
		}
		if err != nil {
			bad++
			fmt.Printf("%-20s %v\n", n, err)
			continue
		}
		fmt.Printf("%-20s ok: %s, SHA-256 and all tensors as the card and the architecture say\n", c.Name, f.Path)
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d models cannot be used", bad, len(m.Names))
	}
	return nil
}

type modelsPullCmd struct {
	Names []string `arg:"" help:"Models to pull."`
	Again bool     `help:"Forget the revision and checksum that were pinned, and pin what is published now."`
}

func (m modelsPullCmd) Help() string {
	return `From the Hugging Face hub into its own cache, shared with Python (HF_HOME, HF_TOKEN,
HF_ENDPOINT and HF_HUB_OFFLINE count), or from the card's URL. Ctrl-C keeps what came;
the same command goes on from there.`
}

func (m modelsPullCmd) Run(ctx context.Context, g *globals) error {
	for _, n := range m.Names {
		c, err := zoo.Lookup(n)
		if err != nil {
			return err
		}
		p, err := depot.Pull(ctx, c, depot.Options{Again: m.Again, Progress: bytesBar(g, c.Name)})
		if err != nil {
			return err
		}
		if g.JSON {
			if err := json.NewEncoder(os.Stdout).Encode(p); err != nil {
				return err
			}
			continue
		}
		there := ""
		if p.There {
			there = " (was there already)"
		}
		fmt.Printf("%s: %s%s\n  %d bytes, SHA-256 %s", c.Name, p.Path, there, p.Size, p.SHA256)
		if p.Revision != "" {
			fmt.Printf(", commit %s", p.Revision)
		}
		fmt.Println(", pinned in", depot.LockPath())
	}
	return nil
}

type modelsRmCmd struct {
	Name string `arg:""`
}

func (m modelsRmCmd) Run() error {
	path, err := zoo.RemoveCard(m.Name)
	if err == nil {
		fmt.Println("removed", path, "(the weights are where they were)")
	}
	return err
}
