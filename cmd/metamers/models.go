package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/engine"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

type modelsCmd struct {
	List  modelsListCmd  `cmd:"" default:"1" help:"List the models."`
	Show  modelsShowCmd  `cmd:"" help:"Show a model's card and layers."`
	Check modelsCheckCmd `cmd:"" help:"Check a model's weight file."`
}

type modelsListCmd struct{}

func (modelsListCmd) Run(g *globals) error {
	fmt.Printf("%-20s %-12s %-10s %-8s %s\n", "name", "kind", "training", "weights", "title")
	for _, n := range zoo.Names() {
		c, err := zoo.Lookup(n)
		if err != nil {
			return err
		}
		here := "here"
		if _, err := engine.Locate(c); err != nil {
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
	path, err := engine.Locate(c)
	if err != nil {
		fmt.Println(err)
		return nil
	}
	net, err := zoo.Open(c, path)
	if err != nil {
		return err
	}
	layers, err := net.Layers(c.Input)
	if err != nil {
		return err
	}
	fmt.Println("weights:", path)
	fmt.Println("layers:")
	for _, l := range layers {
		_, shapes, err := net.Reads(c.Input, l)
		if err != nil {
			return err
		}
		stage := ""
		for _, s := range metamer.Stages {
			if c.Stages[s].Layer == l {
				stage = s
			}
		}
		fmt.Printf("  %-30s %-16v %s\n", l, shapes[0].Dimensions[1:], stage)
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
		if err != nil {
			return err
		}
		path, err := engine.Locate(c)
		if err == nil {
			_, err = zoo.Open(c, path)
		}
		if err != nil {
			bad++
			fmt.Printf("%-20s %v\n", c.Name, err)
			continue
		}
		fmt.Printf("%-20s ok: %s, SHA-256 and all tensors as the card and the architecture say\n", c.Name, path)
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d models cannot be used", bad, len(m.Names))
	}
	return nil
}
