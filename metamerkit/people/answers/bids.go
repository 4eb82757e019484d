package answers

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// WriteBIDS writes an events file of BIDS for each participant, those left out too. The
// onset is that of the image: the row's time less the answer's and the mask's.
func (d *Data) WriteBIDS(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("experiment: %w", err)
	}
	for _, p := range d.Participants {
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		w.Comma = '\t'
		w.Write([]string{"onset", "duration", "stim_file", "response_time", "phase", "condition", "run", "set", "stage", "image", "answer", "choice", "correct", "excluded"})
		for _, t := range p.Trials {
			s := d.Design.Stimuli[t.Stimulus]
			row := []string{"", "", filepath.Base(s.Path), "n/a", "trial", "natural", "n/a", "n/a", "n/a", strconv.Itoa(s.Image), d.Design.Choices[s.Answer].Name, "n/a", "n/a", or(p.Excluded, or(t.Left, "n/a"))}
			mask := 1000 * float64(d.Design.Times.Mask) / d.Design.Times.Refresh
			row[0] = strconv.FormatFloat((float64(t.Onset-p.Trials[0].Onset)-t.RT-mask-t.Shown+p.Trials[0].RT+mask+p.Trials[0].Shown)/1000, 'f', 3, 64)
			row[1] = strconv.FormatFloat(t.Shown/1000, 'f', 4, 64)
			if t.Catch {
				row[4] = "catch"
			}
			if s.Condition >= 0 {
				if c := d.Design.Conditions[s.Condition]; c.Run != "" {
					row[5], row[6], row[7], row[8] = strconv.Itoa(s.Condition), c.Run, c.Set, c.Stage
				}
			}
			if t.Choice >= 0 {
				row[3], row[11], row[12] = strconv.FormatFloat(t.RT/1000, 'f', 4, 64), d.Design.Choices[t.Choice].Name, strconv.FormatBool(d.Right(t))
			}
			w.Write(row)
		}
		w.Flush()
		name := strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
				return r
			}
			return -1
		}, p.Name)
		if err := paths.WriteBytes(filepath.Join(dir, "sub-"+name+"_task-"+d.Design.TaskName()+"_events.tsv"), b.Bytes()); err != nil {
			return fmt.Errorf("experiment: %w", err)
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
