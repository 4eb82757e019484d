package main

import (
	"fmt"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/people"
	"github.com/ensemble-metamers/metamers/metamerkit/people/page"
)

type experimentExportCmd struct {
	Folder string `arg:"" help:"Folder of an experiment." type:"existingdir"`
	Host   string `required:"" enum:"jatos,datapipe,pavlovia,cognition.run" help:"Host of the page: ${enum}."`
	ID     string `name:"id" help:"The experiment's ID at DataPipe." placeholder:"ID"`
	Out    string `required:"" help:"Study archive to write for JATOS (.jzip), or a new folder." type:"path" placeholder:"PATH"`
}

func (c *experimentExportCmd) Help() string {
	return `The page goes without data. docs/people.md says what each host does with it. "metamers
experiment read" reads what a host gives back.

Examples:
  metamers experiment export exp --host jatos --out exp.jzip
  metamers experiment export exp --host datapipe --id ABCdef123456 --out site`
}

func (c *experimentExportCmd) Run() error {
	if c.Host == "jatos" {
		if err := paths.CheckFile(c.Out); err != nil {
			return err
		}
	}
	if err := page.Export(c.Folder, c.Host, c.ID, c.Out); err != nil {
		return err
	}
	d, err := people.Load(c.Folder)
	if err != nil {
		return err
	}
	fmt.Println(c.Out)
	switch c.Host {
	case "jatos":
		fmt.Println("JATOS: Import Study, and make study links. Export its results as text or as an archive.")
	case "datapipe":
		fmt.Printf("Put the folder on a static server. DataPipe: turn on data collection and condition assignment with %d conditions.\n", len(d.Schedules))
	case "pavlovia":
		fmt.Println("Pavlovia: push the folder to a project of its GitLab and set the experiment to running. Results are in its folder data.")
	case "cognition.run":
		fmt.Println("cognition.run: choose jsPsych 8, upload external as External JS, CSS and stimuli as Stimuli, and paste task.js as the source code. Download the data as CSV.")
	}
	return nil
}
