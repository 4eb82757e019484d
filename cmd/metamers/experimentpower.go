package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/ensemble-metamers/metamers/metamerkit/people"
	"github.com/ensemble-metamers/metamers/metamerkit/people/answers"
)

type experimentPowerCmd struct {
	Pilot       string  `arg:"" optional:"" help:"Folder of an experiment with pilot data, from which rate, numbers and spreads come." type:"existingdir"`
	Difference  float64 `required:"" help:"Difference of recognizability between two conditions that is to be shown, such as 0.1."`
	Rate        float64 `default:"0.5" help:"Mean recognizability of the two, without pilot data."`
	Images      int     `default:"64" help:"Number of references that are tested, without pilot data."`
	Conditions  int     `default:"4" help:"Number of conditions, without pilot data."`
	PersonSD    float64 `name:"person-sd" default:"0.5" help:"Standard deviation of participants on the logit scale, without pilot data."`
	ImageSD     float64 `name:"image-sd" default:"1" help:"Standard deviation of images on the logit scale, without pilot data."`
	Power       float64 `default:"0.8" help:"Wanted share of experiments that show the difference."`
	Simulations int     `default:"200" help:"Number of simulated experiments for each number of participants."`
	Seed        uint64  `help:"Random seed."`
}

func (c *experimentPowerCmd) Help() string {
	return `Experiments are simulated with participants and images that differ, in the balanced design
of make. An experiment shows the difference when its two-way bootstrap interval over
participants and images, as read has it, lies above 0.

Examples:
  metamers experiment power --difference 0.1 --rate 0.6 --images 64 --conditions 7
  metamers experiment power pilot --difference 0.1`
}

func (c *experimentPowerCmd) Run(g *globals) error {
	p := answers.Power{Difference: c.Difference, Rate: c.Rate, Images: c.Images, Conditions: c.Conditions, PersonSD: c.PersonSD, ImageSD: c.ImageSD, Wanted: c.Power, Simulations: c.Simulations, Seed: c.Seed}
	if c.Pilot != "" {
		d, err := people.Load(c.Pilot)
		if err != nil {
			return err
		}
		data, err := answers.Load(d, []string{c.Pilot})
		if err != nil {
			return err
		}
		if p, err = data.Pilot(p); err != nil {
			return err
		}
	}
	tried, enough, err := p.Search()
	if err != nil {
		return err
	}
	if g.JSON {
		return json.NewEncoder(os.Stdout).Encode(struct {
			Assumed answers.Power
			Tried   []answers.Tried
			Enough  bool
		}{p, tried, enough})
	}
	fmt.Printf("rate %.3f, %d images, %d conditions, standard deviations (logit) %.2f of participants and %.2f of images\n", p.Rate, p.Images, p.Conditions, p.PersonSD, p.ImageSD)
	shown := tried
	if enough { // the last one is there before
		shown = tried[:len(tried)-1]
	}
	for _, t := range shown {
		fmt.Printf("%5d participants: power %.2f\n", t.Participants, t.Power)
	}
	if !enough {
		return errors.New("experiment: no number of participants up to 2000 gives that power: more images, or fewer conditions, may")
	}
	fmt.Printf("%d participants show a difference of %g with a power of %g\n", tried[len(tried)-1].Participants, c.Difference, p.Wanted)
	return nil
}
