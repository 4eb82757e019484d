package study

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/place"
)

// Speed is what one model at one stage costs on this machine, in seconds: the first
// time it is used (compilation), each gradient evaluation of a batch, and the evidence
// of all images of a run.
type Speed struct {
	Compile  float64 `json:"compile"`
	Step     float64 `json:"step"`
	Evidence float64 `json:"evidence"` // of one member
	Images   int     `json:"images"`   // that Evidence is of
}

// Speeds are what plans cost on this machine as far as that is known, by what computes
// (backend, cores), model, stage, loss, batch and image size.
type Speeds struct {
	Path    string // the file that keeps them, "" for none
	Machine string // such as "xla, 2 cores": begins every key

	Of map[string]Speed `json:"of"`
	// Unit is how long an evaluation took by its forecast, over the studies before: a
	// factor, 1 where there was none. Run is the same for what a run takes beside its
	// steps and its evidence (files), in seconds an image.
	Unit float64 `json:"unit"`
	Run  float64 `json:"run"`
}

// OpenSpeeds reads a file of speeds. One that is not there is empty; a damaged one is
// an error, and then it is empty too.
func OpenSpeeds(path, machine string) (*Speeds, error) {
	s := &Speeds{Path: path, Machine: machine}
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, s)
	}
	s.Path, s.Machine = path, machine
	if s.Of == nil {
		s.Of = map[string]Speed{}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &Speeds{Path: path, Machine: machine, Of: map[string]Speed{}}, fmt.Errorf("study: speeds that were measured before: %s: %w", path, err)
	}
	return s, nil
}

func (s *Speeds) save() error {
	if s.Path == "" {
		return nil
	}
	text, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return fmt.Errorf("study: speeds: %w", err)
	}
	return place.WriteBytes(s.Path, append(text, '\n'))
}

// files is what a run takes beside steps and evidence, in seconds an image: a guess
// before the first study.
func (s *Speeds) files() float64 {
	if s.Run == 0 {
		return 0.02
	}
	return s.Run
}

// key names what a speed depends on.
func (s *Speeds) key(p Plan, model, stage string, batch, size int) string {
	r := p.Recipe([]string{model}, stage)
	return fmt.Sprintf("%s: %s %s, %s, %s, batch %d of %d²", s.Machine, model, stage, r.Optimizer.Name, r.Loss, batch, size)
}

// watch notes when the steps of a run were made.
type watch struct {
	first, last, after   time.Time
	firstStep, stepsOver int // stepsOver: since first
	done                 int // of batches before
	lastStep, image      int
}

func (w *watch) see(p metamer.Progress) {
	now := time.Now()
	switch {
	case p.Phase == "synthesis" && p.Step > 0:
		if w.first.IsZero() {
			w.first, w.firstStep, w.image = now, p.Step, p.Image
		}
		if p.Image != w.image { // the next batch
			w.done += w.lastStep
			w.image = p.Image
		}
		w.last, w.lastStep = now, p.Step
		w.stepsOver = w.done + p.Step - w.firstStep
	case p.Phase == "evidence":
		w.after = now
	}
}

// step is the time of a step, 0 where it cannot be told.
func (w *watch) step() float64 {
	if w.stepsOver < 1 {
		return 0
	}
	return w.last.Sub(w.first).Seconds() / float64(w.stepsOver)
}

// learn takes over what a run of one model shows, and what any run takes beside steps
// and evidence.
func (s *Speeds) learn(p Plan, run *metamer.Run, took float64, w watch) {
	r := run.Recipe
	step := w.step()
	if step == 0 || w.after.IsZero() {
		return
	}
	if len(r.Models) == 1 {
		key := s.key(p, r.Models[0].Name, r.Stage, r.Batch, r.Images.Size)
		if v, ok := s.Of[key]; ok {
			v.Step = (v.Step + step) / 2
			s.Of[key] = v
		}
	}
	evidence := 0.0
	for _, m := range r.Models {
		v := s.Of[s.key(p, m.Name, r.Stage, r.Batch, r.Images.Size)]
		evidence += v.Evidence * float64(r.Images.Count) / float64(max(v.Images, 1))
	}
	rest := time.Since(w.after).Seconds() - evidence
	each := within(rest/float64(r.Images.Count), 0, 60)
	if s.Run == 0 {
		s.Run = each
	}
	s.Run += (each - s.Run) / 4
}

func within(v, low, high float64) float64 { return min(max(v, low), high) }

func nonzero(v float64) float64 {
	if v == 0 {
		return 1
	}
	return v
}
