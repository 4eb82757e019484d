package peopletest

import (
	"encoding/csv"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/people"
)

// Writer makes the rows of a participant as the page does.
type Writer struct {
	Design      *people.Design
	Participant int
	Time        int64 // of the last row, in ms
	rows        int
	check       string
}

// Row makes the next row of a phase. Columns that are not in values are empty, but for
// those that every row has.
func (w *Writer) Row(phase string, values map[string]string) string {
	w.rows++
	w.Time += 1000
	all := map[string]string{
		"design": w.Design.SHA256(), "seed": strconv.FormatUint(w.Design.Seed, 10), "participant": strconv.Itoa(w.Participant), "schedule": strconv.Itoa(w.Participant - 1),
		"row": strconv.Itoa(w.rows), "phase": phase, "time_ms": strconv.FormatInt(w.Time, 10),
	}
	for k, v := range values {
		all[k] = v
	}
	var fields []string
	for _, c := range people.Columns[:len(people.Columns)-1] {
		fields = append(fields, all[c.Name])
	}
	var b strings.Builder
	c := csv.NewWriter(&b)
	c.Write(fields)
	c.Flush()
	body := strings.TrimSuffix(b.String(), "\n")
	w.check = fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(w.check+"\n"+body)))
	return body + "," + w.check
}

// Trial makes the row of a trial in which a choice was taken.
func (w *Writer) Trial(phase string, stimulus, choice int) string {
	d := w.Design
	s := d.Stimuli[stimulus]
	c := people.Condition{}
	if s.Condition >= 0 {
		c = d.Conditions[s.Condition]
	}
	correct := 0
	if choice == s.Answer {
		correct = 1
	}
	other, otherMS := "", ""
	if s.Other != nil {
		other, otherMS = strconv.Itoa(s.Other.Condition), "33.3"
	}
	return w.Row(phase, map[string]string{
		"stimulus": strconv.Itoa(stimulus), "condition": strconv.Itoa(s.Condition), "run": c.Run, "set": c.Set, "stage": c.Stage, "image": strconv.Itoa(s.Image), "name": s.Name,
		"answer": d.Choices[s.Answer].Name, "choice": d.Choices[choice].Name, "correct": strconv.Itoa(correct), "rt_ms": "500", "image_ms": "33.3", "other": other, "other_ms": otherMS,
	})
}

// File is the file of a participant who takes the choices that choose gives.
func File(d *people.Design, participant int, choose func(stimulus int) int) string {
	w := &Writer{Design: d, Participant: participant}
	lines := []string{people.Header(), w.Row("start", nil)}
	for _, i := range d.Practice {
		lines = append(lines, w.Trial("practice", i, choose(i)))
	}
	for _, i := range d.Trials(participant - 1) {
		phase := "trial"
		if d.IsCatch(i) {
			phase = "catch"
		}
		lines = append(lines, w.Trial(phase, i, choose(i)))
	}
	return strings.Join(append(lines, w.Row("end", nil)), "\n") + "\n"
}
