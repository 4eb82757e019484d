package answers

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/people"
)

// WriteBIDS makes a dataset of BIDS in a folder: events of each participant, those left out
// too, their description, and the images, which it copies from the experiment's folder.
func (d *Data) WriteBIDS(dir, experiment string) error {
	if err := d.bidsFiles(dir, experiment); err != nil {
		return fmt.Errorf("experiment: --bids: %w", err)
	}
	for _, p := range d.Participants {
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		w.Comma = '\t'
		w.Write([]string{"onset", "duration", "stim_file", "other_file", "response_time", "phase", "condition", "run", "set", "stage", "image", "answer", "choice", "correct", "excluded"})
		for _, t := range p.Trials {
			s := d.Design.Stimuli[t.Stimulus]
			other := "n/a"
			if s.Other != nil {
				other = path.Base(s.Other.Path)
			}
			row := []string{"", "", path.Base(s.Path), other, "n/a", "trial", "natural", "n/a", "n/a", "n/a", strconv.Itoa(s.Image), d.Design.Choices[s.Answer].Name, "n/a", "n/a", or(p.Excluded, or(t.Left, "n/a"))}
			mask := 1000 * float64(d.Design.Times.Mask) / d.Design.Times.Refresh
			row[0] = strconv.FormatFloat((float64(t.Onset-p.Trials[0].Onset)-t.RT-mask-t.Shown+p.Trials[0].RT+mask+p.Trials[0].Shown)/1000, 'f', 3, 64)
			row[1] = strconv.FormatFloat(t.Shown/1000, 'f', 4, 64)
			if t.Catch {
				row[5] = "catch"
			}
			if s.Condition >= 0 {
				if c := d.Design.Conditions[s.Condition]; c.Run != "" {
					row[6], row[7], row[8], row[9] = strconv.Itoa(s.Condition), c.Run, c.Set, c.Stage
				}
			}
			if t.Choice >= 0 {
				row[4], row[12], row[13] = strconv.FormatFloat(t.RT/1000, 'f', 4, 64), d.Design.Choices[t.Choice].Name, strconv.FormatBool(d.Right(t))
			}
			w.Write(row)
		}
		w.Flush()
		name := "sub-" + label(p.Name)
		folder := filepath.Join(dir, name, "beh")
		if err := errors.Join(os.MkdirAll(folder, 0o777), paths.WriteBytes(filepath.Join(folder, name+"_task-"+d.Design.TaskName()+"_events.tsv"), b.Bytes())); err != nil {
			return fmt.Errorf("experiment: --bids: %w", err)
		}
	}
	return nil
}

// label keeps letters and digits, as BIDS asks of a participant's name.
func label(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, name)
}

// bidsFiles writes what stands beside the participants.
func (d *Data) bidsFiles(dir, experiment string) error {
	readme := fmt.Sprintf("%s\n\nAnswers of people in an experiment (task: %s) made by %s. The design is that with the SHA-256 %s.\n\n%s\n", d.Design.Title, d.Design.Kind(), d.Design.Software, d.Design.SHA256(), d.Design.Exclusion)
	files := map[string][]byte{"README": []byte(readme)}
	for name, v := range map[string]any{
		"dataset_description.json":                     map[string]string{"Name": d.Design.Title, "BIDSVersion": "1.9.0", "DatasetType": "raw"},
		"task-" + d.Design.TaskName() + "_events.json": people.EventColumns(),
	} {
		text, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return err
		}
		files[name] = append(text, '\n')
	}
	for _, s := range d.Design.Stimuli {
		both := []people.File{s.File}
		if s.Other != nil {
			both = append(both, s.Other.File)
		}
		for _, f := range both {
			name := "stimuli/" + path.Base(f.Path)
			if files[name] != nil {
				continue
			}
			data, err := os.ReadFile(filepath.Join(experiment, filepath.FromSlash(f.Path)))
			if err != nil {
				return fmt.Errorf("the images are copied from the experiment's folder (--design FOLDER): %w", err)
			}
			files[name] = data
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "stimuli"), 0o777); err != nil {
		return err
	}
	for name, data := range files {
		if err := paths.WriteBytes(filepath.Join(dir, filepath.FromSlash(name)), data); err != nil {
			return err
		}
	}
	return nil
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}
