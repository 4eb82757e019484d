package page

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/people"
)

// describe makes the files that describe the experiment to other programs: Psych-DS's
// dataset_description.json, conditions for PsychoPy, BIDS's description of event columns,
// and a stimulus set as Brain-Score's.
func describe(d *people.Design) map[string][]byte {
	return map[string][]byte{
		"dataset_description.json":              psychDS(d),
		".psychdsignore":                        []byte(psychDSIgnore),
		"README.md":                             readme(d),
		"psychopy.csv":                          psychoPy(d),
		"task-" + d.TaskName() + "_events.json": encode(people.EventColumns()),
		"brainscore.csv":                        brainScore(d),
	}
}

func encode(v any) []byte {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic("page: " + err.Error()) // of maps and strings: never
	}
	return append(data, '\n')
}

func table(rows [][]string) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.WriteAll(rows); err != nil {
		panic("page: " + err.Error()) // of a buffer: never
	}
	return b.Bytes()
}

// psychDS is the metadata of a Psych-DS dataset; its variables are the columns of the data.
func psychDS(d *people.Design) []byte {
	variables := []any{}
	for _, c := range people.Columns {
		variables = append(variables, map[string]string{"@type": "PropertyValue", "name": c.Name, "description": c.About})
	}
	return encode(map[string]any{
		"@context": "https://schema.org/", "@type": "Dataset",
		"name":             d.Title,
		"description":      fmt.Sprintf("Answers of people to %d images of %s in %d conditions. Design %s.", d.Images.Count, d.Images.Name, len(d.Conditions), d.SHA256()),
		"variableMeasured": variables,
		"keywords":         []string{"metamers", "recognition", "psychophysics"},
	})
}

// psychDSIgnore lists the files that are not part of a Psych-DS dataset, in the form of
// .gitignore: the page, the lab's links and the files for other programs.
const psychDSIgnore = `design.json
*.js
*.html
*.css
/jspsych/
/stimuli/
/masks/
/*.csv
/task-*_events.json
/.lock
`

func readme(d *people.Design) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\nAn experiment (task: %s) made by %s. Open index.html, put the folder on a static web server, run `metamers experiment serve` with it, or take it to a host with `metamers experiment export`. Answers are in data/, one row a trial (dataset_description.json says what the columns are).\n\n", d.Title, d.Kind(), d.Software)
	fmt.Fprintf(&b, "The design is design.json, SHA-256 %s. It never changes: each row of data names it.\n\n%s\n\n## Conditions\n\n", d.SHA256(), d.Exclusion)
	for _, c := range d.Conditions {
		fmt.Fprintf(&b, "- %s", c)
		if c.Run != "" {
			fmt.Fprintf(&b, " (run %s, %d of %d images are metamers)", c.Run, c.Passed, c.Tested)
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "\n## Other programs\n\n- psychopy.csv: a conditions file for a loop of PsychoPy's builder.\n- brainscore.csv: the images as a stimulus set of Brain-Score.\n- task-%s_events.json: columns of BIDS events; `metamers experiment read --bids FOLDER` writes the files.\n- jspsych/: jsPsych with its licence.\n", d.TaskName())
	return []byte(b.String())
}

// psychoPy lists all trials; a loop can take the rows of a participant's schedule.
func psychoPy(d *people.Design) []byte {
	rows := [][]string{{"schedule", "trial", "imageFile", "maskFile", "corrAns", "answer", "condition", "set", "stage", "imageIndex", "catch", "fixationSeconds", "imageSeconds", "maskSeconds"}}
	if d.Task != "" {
		rows[0] = append(rows[0], "otherFile", "otherCondition", "gapSeconds")
	}
	seconds := func(frames int) string {
		return strconv.FormatFloat(float64(frames)/d.Times.Refresh, 'g', 6, 64)
	}
	for p, list := range d.Schedules {
		for k, i := range list {
			s := d.Stimuli[i]
			c := conditionOf(d, s.Condition)
			row := []string{strconv.Itoa(p), strconv.Itoa(k), s.Path, d.Masks[k%len(d.Masks)].Path, d.Choices[s.Answer].Key, d.Choices[s.Answer].Name,
				c.String(), c.Set, c.Stage, strconv.Itoa(s.Image), strconv.FormatBool(d.IsCatch(i)), seconds(d.Times.Fixation), seconds(d.Times.Image), seconds(d.Times.Mask)}
			if s.Other != nil {
				row = append(row, s.Other.Path, conditionOf(d, s.Other.Condition).String(), seconds(d.Times.Gap))
			}
			rows = append(rows, row)
		}
	}
	return table(rows)
}

// brainScore lists the stimuli with the columns that Brain-Score's stimulus sets have. In
// tasks with two images the label is the reference's name, and references are listed too.
func brainScore(d *people.Design) []byte {
	rows := [][]string{{"stimulus_id", "filename", "image_label", "condition", "model_set", "stage", "run", "image_index", "object_name", "verdict"}}
	seen := map[string]bool{}
	stimuli := slices.Clone(d.Stimuli)
	for _, s := range d.Stimuli {
		if s.Other != nil && s.Condition != people.Natural {
			stimuli = append(stimuli, people.Stimulus{File: s.Other.File, Condition: s.Other.Condition, Image: s.Image, Name: s.Name})
		}
	}
	for _, s := range stimuli {
		label := s.Name
		if d.Task == "" {
			label = d.Choices[s.Answer].Name
		}
		c := conditionOf(d, s.Condition)
		id := strings.TrimSuffix(path.Base(s.Path), ".png")
		if key := id + c.String(); seen[key] {
			continue
		} else {
			seen[key] = true
		}
		rows = append(rows, []string{id, s.Path, label, c.String(), c.Set, c.Stage, c.Run, strconv.Itoa(s.Image), s.Name, s.Verdict})
	}
	return table(rows)
}

func conditionOf(d *people.Design, k int) people.Condition {
	if k == people.Natural {
		return people.Condition{}
	}
	return d.Conditions[k]
}
