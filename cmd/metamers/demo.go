package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"image/png"
	"os"
	"strings"

	"github.com/pkg/browser"
	"golang.org/x/term"

	"github.com/ensemble-metamers/metamers/metamerkit/engine"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// demoSets are the model sets of the demonstration.
var demoSets = []struct {
	Training string
	Models   []string
}{
	{"standard", []string{"plain7_48.mm_c10", "resnet8_48.mm_c10"}},
	{"robust", []string{"plain7_48.mm_c10_linf8", "resnet8_48.mm_c10_linf8"}},
}

type demoCmd struct {
	Image       string `arg:"" optional:"" help:"Photograph to use, a file or an embedded set (default: a hot-air balloon)." default:"photos:15-16" predictor:"file"`
	Out         string `help:"HTML page to write." default:"metamers-demo.html" placeholder:"FILE" predictor:"file"`
	Evaluations int    `positive:"" help:"Number of model gradient evaluations (default: 400)."`
	Browser     bool   `help:"Open the page in the default browser." default:"true" negatable:""`
	storeFlag
}

func (demoCmd) Help() string {
	return `The metamers are those of the last layer before the classifier. They are made for two
standard networks and for two adversarially trained ones, which the program carries.

Examples:
  metamers demo
  metamers demo cat.jpg --out cat.html`
}

//go:embed demo.html
var demoPage string

// demoRun is what the page says of one model set.
type demoRun struct {
	Training, Names string
	Picture         template.URL
	Run             *metamer.Run
}

// Passes says whether the image passes for both members.
func (d demoRun) Passes() bool { return d.Run.PassCount() == 1 }

func (c demoCmd) Run(ctx context.Context, g *globals) error {
	if err := paths.CheckFile(c.Out); err != nil {
		return err
	}
	set, err := withNotes(images.Open([]string{c.Image}, images.Options{Size: 32}))
	if err != nil {
		return err
	}
	if set.Len() != 1 {
		return fmt.Errorf("%s has %d images: expected 1", c.Image, set.Len())
	}
	store, err := openStore(c.Store)
	if err != nil {
		return err
	}
	e, err := g.engine()
	if err != nil {
		return err
	}
	page := struct {
		Image     string
		Reference template.URL
		Runs      []demoRun
	}{Image: strings.ReplaceAll(set.Names[0], "_", " ")}
	if page.Reference, err = dataURL(set.Pixels, set.Size); err != nil {
		return err
	}
	for _, s := range demoSets {
		r, err := recipeFlags{Batch: "16", Evaluations: c.Evaluations}.recipe(s.Models, "late", againstFlags{})
		if err != nil {
			return err
		}
		took := newParts()
		run, err := synthesize(ctx, g, e, engine.Request{Recipe: r, Images: set, Store: store.Where(), Extra: extras(set)}, &took)
		if err != nil {
			return err
		}
		picture, err := dataURL(run.Metamers, set.Size)
		if err != nil {
			return err
		}
		page.Runs = append(page.Runs, demoRun{s.Training, strings.Join(s.Models, " and "), picture, run})
	}
	var html bytes.Buffer
	if err := template.Must(template.New("demo").Parse(demoPage)).Execute(&html, page); err != nil {
		return err
	}
	if err := paths.WriteBytes(c.Out, html.Bytes()); err != nil {
		return err
	}
	fmt.Println(c.Out)
	if c.Browser && !g.JSON && term.IsTerminal(int(os.Stdout.Fd())) {
		if err := browser.OpenFile(c.Out); err != nil {
			fmt.Fprintf(os.Stderr, "warning: %s was written, but no browser could be opened: %v\n", c.Out, err)
		}
	}
	return nil
}

// dataURL is pixels [size,size,3] in [0,1] as a PNG within a page.
func dataURL(pixels []float32, size int) (template.URL, error) {
	var b bytes.Buffer
	if err := png.Encode(&b, images.ToImage(pixels, size)); err != nil {
		return "", err
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())), nil
}
