package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ensemble-metamers/metamers/metamerkit/engine"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/labels"
	"github.com/ensemble-metamers/metamers/metamerkit/people"
	"github.com/ensemble-metamers/metamers/metamerkit/people/page"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

type experimentCmd struct {
	Make     experimentMakeCmd     `cmd:"" help:"Write the web page of an experiment with the metamers of runs: recognition, same or different, or the more natural of two."`
	Serve    experimentServeCmd    `cmd:"" help:"Serve an experiment in a lab: one link a participant, nothing lost."`
	Export   experimentExportCmd   `cmd:"" help:"Write an experiment as a host wants it: JATOS, DataPipe, Pavlovia or cognition.run."`
	Read     experimentReadCmd     `cmd:"" help:"Read the answers of people into rows with the observer people."`
	Power    experimentPowerCmd    `cmd:"" help:"Say how many participants a difference needs, by simulation."`
	Simulate experimentSimulateCmd `cmd:"" computes:"" help:"Answer an experiment as simulated participants, who see as a network does, through the real page in Chromium."`
}

type experimentMakeCmd struct {
	Runs   []string  `arg:"" help:"IDs of runs or prefixes of them: a condition each. They have the same images." name:"run"`
	Out    string    `help:"Folder to write, which must be new or empty." required:"" type:"path" placeholder:"FOLDER"`
	Store  string    `help:"Store of runs: a folder, or a URL such as s3://bucket/prefix (default: the folder runs in the cache folder)." env:"METAMERS_RUNS" placeholder:"STORE"`
	Title  string    `default:"What do you see?" help:"Title of the page."`
	Design string    `help:"YAML file with another task than recognition: same-different or more-natural (docs/people.md)." type:"existingfile" placeholder:"FILE.yaml" predictor:"file"`
	Texts  string    `help:"YAML file with the texts: consent, instructions (a list of pages) and debrief, as HTML." type:"existingfile" placeholder:"FILE.yaml" predictor:"file"`
	Images imageSpec `arguments:"" help:"Reference images. Needed only when the runs do not say where they are." placeholder:"SET"`

	Answers      string    `group:"Design" help:"Model whose classes of the references are the right answers (default: the labels of the images; ImageNet's as the 16 categories)." placeholder:"MODEL" predictor:"models"`
	Others       imageSpec `group:"Design" arguments:"" help:"Images for practice and catch trials (default: references are held out). References among them are left out." placeholder:"SET"`
	Natural      bool      `group:"Design" negatable:"" default:"true" help:"Show the references too, as a condition."`
	Practice     int       `group:"Design" default:"4" help:"Number of practice trials with feedback."`
	Catch        int       `group:"Design" help:"Number of catch trials (default: an eighth of the references, at least 2)."`
	Participants int       `group:"Design" help:"Number of participants for whom schedules are drawn (default: 10 for each condition). Later participants get the schedules from the first one on."`
	Break        int       `group:"Design" default:"50" help:"Number of trials between breaks, or 0 for none."`
	Seed         uint64    `group:"Design" default:"1" help:"Random seed for schedules, held-out images and masks."`

	FixationFrames int     `group:"Display" default:"18" help:"Frames of the fixation cross."`
	ImageFrames    int     `group:"Display" default:"18" help:"Frames of the image. The default, 300 ms, is that of Feather et al. 2023."`
	MaskFrames     int     `group:"Display" default:"18" help:"Frames of the mask, or 0 for none."`
	Refresh        float64 `group:"Display" default:"60" help:"Frames per second that the numbers of frames stand for. A display of another rate shows the nearest number of its own frames."`
	Limit          int     `group:"Display" help:"Time for an answer in ms, or 0 for no limit."`
	Magnification  int     `group:"Display" positive:"" help:"Pixels of the display for each pixel of the image (default: as many as make 256 pixels a side)."`
	Degrees        float64 `group:"Display" positive:"" help:"Visual angle of a side of the image, from the calibration. The nearest whole magnification is shown."`
	Smooth         bool    `group:"Display" help:"With --degrees, show images at that size, smoothed."`
	Calibrate      bool    `group:"Display" negatable:"" default:"true" help:"Measure the display with a bank card and the viewing distance with the blind spot."`

	CatchAtLeast float64 `group:"Exclusion" default:"0.75" help:"A participant counts with at least this share of catch trials right."`
	Fast         float64 `group:"Exclusion" default:"200" help:"An answer that comes sooner, in ms, is fast."`
	FastAtMost   float64 `group:"Exclusion" default:"0.1" help:"A participant counts with at most this share of fast answers."`
	ShownWithin  float64 `group:"Exclusion" default:"50" help:"A trial counts if its image was shown for a time at most so many ms off."`

	JSPsych string `name:"jspsych" help:"Folder with the files of jsPsych, for machines without a network (default: npm downloads them once into the cache folder)." type:"existingdir" placeholder:"FOLDER" predictor:"dir"`
}

func (c *experimentMakeCmd) Help() string {
	return `Each participant sees each reference once: the metamer of one of the runs, or the
reference itself. The conditions are balanced over participants. --design takes other tasks.
docs/people.md has the way from runs to a figure.

Examples:
  metamers experiment make 3f2a 91bc --out exp --others photos
  metamers experiment make 3f2a 91bc --out exp --answers resnet8_48.mm_c10 --degrees 5
  metamers experiment make 3f2a 91bc --out exp --design same-different.yaml`
}

func (c *experimentMakeCmd) Run(ctx context.Context, g *globals) error {
	if c.Smooth && c.Degrees == 0 {
		return fmt.Errorf("--smooth goes with --degrees: images at a magnification are never smoothed")
	}
	if c.Magnification != 0 && c.Degrees != 0 {
		return fmt.Errorf("--magnification %d and --degrees %v: expected one of them", c.Magnification, c.Degrees)
	}
	plan := people.Plan{Task: people.Recognition}
	var err error
	if c.Design != "" {
		if plan, err = people.ReadPlan(c.Design); err != nil {
			return err
		}
		if plan.Task != people.Recognition && c.Answers != "" {
			return fmt.Errorf("--answers %s goes with the task %s: the task %s has no classes as choices", c.Answers, people.Recognition, plan.Task)
		}
	}
	source, err := c.source(g, plan.Task == people.Recognition)
	if err != nil {
		return err
	}
	d := c.design(source.References.Size)
	plan.Apply(&d)
	if c.Texts != "" {
		if d.Texts, err = people.ReadTexts(c.Texts); err != nil {
			return err
		}
	}
	design, err := page.Make(ctx, c.Out, d, source, c.JSPsych)
	if err != nil {
		return err
	}
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(struct {
			Folder, Design                                          string
			Conditions, Trials, Practice, Catch, Schedules, Choices int
			Left                                                    []people.Left
		}{c.Out, design.SHA256(), len(design.Conditions), len(design.Schedules[0]), len(design.Practice), len(design.Catch), len(design.Schedules), len(design.Choices), design.Left})
	}
	fmt.Printf("%s: task %s, %d conditions, %d choices, %d trials a participant (%d of them catch trials), %d schedules\n", filepath.Join(c.Out, "index.html"), design.Kind(), len(design.Conditions), len(design.Choices), len(design.Schedules[0]), len(design.Catch), len(design.Schedules))
	fmt.Printf("design %s, which never changes\n%s\n", design.SHA256(), design.Exclusion)
	if n := len(design.Left); n > 0 {
		fmt.Printf("%d of %d references are not tested:\n", n, design.Images.Count)
		for _, l := range design.Left {
			fmt.Printf("  %s: %s\n", l.Name, l.Why)
		}
	}
	return nil
}

// design is what the flags say of a design for images of size pixels a side. Without flags
// it is people.Default.
func (c *experimentMakeCmd) design(size int) people.Design {
	d := people.Design{
		Title: c.Title, Software: "metamers " + version(), Seed: c.Seed, Break: c.Break,
		Times:     people.Times{Refresh: c.Refresh, Fixation: c.FixationFrames, Image: c.ImageFrames, Mask: c.MaskFrames, Limit: c.Limit},
		Display:   people.Display{Magnification: c.Magnification, Degrees: c.Degrees, Smooth: c.Smooth, Calibrate: c.Calibrate},
		Exclusion: people.Exclusion{CatchAtLeast: c.CatchAtLeast, FastMS: c.Fast, FastAtMost: c.FastAtMost, ShownWithin: c.ShownWithin},
	}
	if c.Magnification == 0 && c.Degrees == 0 {
		d.Display.Magnification = people.Default(size).Display.Magnification
	}
	return d
}

// source opens the runs, the references and the other images, with their classes if the
// task needs them.
func (c *experimentMakeCmd) source(g *globals, classes bool) (s people.Source, err error) {
	store, err := openFound(c.Store)
	if err != nil {
		return s, err
	}
	if s.Runs, err = loadRuns(store, c.Runs); err != nil {
		return s, err
	}
	s.Natural, s.PracticeCount, s.CatchCount, s.Participants = c.Natural, c.Practice, c.Catch, c.Participants
	if s.References, err = referencesOf(s.Runs[0], c.Images, "bicubic"); err != nil {
		return s, err
	}
	if c.Others != nil {
		if s.Others, err = openFor(c.Others, "bicubic", s.Runs[0]); err != nil {
			return s, err
		}
	}
	if !classes {
		return s, nil
	}
	if c.Answers == "" {
		return s, s.Label()
	}
	e, err := g.engine()
	if err != nil {
		return s, err
	}
	if s.Classes, _, err = classesBy(e, c.Answers, s.References); err == nil && s.Others != nil {
		s.OtherClasses, _, err = classesBy(e, c.Answers, s.Others)
	}
	return s, err
}

// classesBy are the classes that a model gives to images, and its logits.
func classesBy(e *engine.Engine, model string, set *images.Set) (people.Classes, [][]float32, error) {
	card, err := zoo.Lookup(model)
	if err != nil {
		return people.Classes{}, nil, err
	}
	logits, err := e.Logits(model, set, min(16, cmp.Or(set.Len(), 1)), nil)
	if err != nil {
		return people.Classes{}, nil, err
	}
	names := labels.Names(card.Labels)
	if names == nil {
		for k := range card.Classes {
			names = append(names, labels.Name(card.Labels, k))
		}
	}
	classes, err := people.ByModel(card.Name, names, logits)
	return classes, logits, err
}
