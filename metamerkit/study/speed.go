package study

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// Speed is what one model at one stage costs on this machine, in seconds: the first
// time it is used (compilation, and the null distribution), each gradient evaluation of a
// batch, and the match statistics of all images of a run.
type Speed struct {
	Compile  float64 `json:"compile"`
	Step     float64 `json:"step"`
	Null     float64 `json:"null"`
	Matching float64 `json:"matching"` // of one member
	Images   int     `json:"images"`   // that Matching is of

	// The shares of the processor's cores that compilation and steps keep busy, 0 where
	// they are not known: what is compiled beside steps takes what these leave.
	CompileBusy float64 `json:"compile busy"`
	StepBusy    float64 `json:"step busy"`
}

// EvaluationSpeed is what the measures of one run by one observer cost, or its image metrics,
// in seconds: what is compiled once, and each run. The references cost as much as a run,
// once for all runs.
type EvaluationSpeed struct {
	Compile float64 `json:"compile"`
	Each    float64 `json:"each"`
	Images  int     `json:"images"` // of a run
	Busy    float64 `json:"busy"`   // as in Speed
}

// of is Each for n images.
func (j EvaluationSpeed) of(n int) float64 { return j.Each * float64(n) / float64(max(j.Images, 1)) }

// Speeds are what plans cost on this machine as far as that is known, by what computes
// (backend, versions, cores), model, stage, loss, batch and image size.
type Speeds struct {
	Path string `json:"-"` // the file that keeps them, "" for none
	// Computes names the backend and the versions of software that compute, as recipes do. With
	// the number of cores it begins every key.
	Computes string `json:"-"`

	Of          map[string]Speed           `json:"of"`
	Evaluations map[string]EvaluationSpeed `json:"evaluations"`
	// Unit is how long an evaluation took by its forecast, over the studies before: a
	// factor, 0 where there was none.
	Unit float64 `json:"unit of evaluations"`
	// Files is what the files of a run take, in seconds an image, by machine and size.
	Files map[string]float64 `json:"files"`
}

// OpenSpeeds reads a file of speeds. One that is not there is empty; a damaged one is
// an error, and then it is empty too.
func OpenSpeeds(path, computes string) (*Speeds, error) {
	empty := func() *Speeds {
		return &Speeds{Path: path, Computes: computes, Of: map[string]Speed{}, Evaluations: map[string]EvaluationSpeed{}, Files: map[string]float64{}}
	}
	s := empty()
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, s)
	}
	if s.Of == nil || s.Evaluations == nil || s.Files == nil { // null in the file
		s = empty()
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return empty(), fmt.Errorf("study: speeds that were measured before: %s: %w", path, err)
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
	return paths.WriteBytes(s.Path, append(text, '\n'))
}

// machine begins every key.
func (s *Speeds) machine() string { return fmt.Sprintf("%s, %d cores", s.Computes, runtime.NumCPU()) }

// filesKey is the key of Files.
func (s *Speeds) filesKey(size int) string { return fmt.Sprintf("%s: %d²", s.machine(), size) }

// files is what the files of a run take, in seconds an image: a guess before the first
// study.
func (s *Speeds) files(size int) float64 {
	if v, ok := s.Files[s.filesKey(size)]; ok {
		return v
	}
	return 0.004 + 4e-7*float64(size*size)
}

// key names what a speed depends on.
func (s *Speeds) key(p Plan, model, stage string, batch, size int) string {
	p.Settings.Against = nil
	r := p.Recipe([]string{model}, stage)
	precision := ""
	if r.Precision != "" {
		precision = ", " + r.Precision
	}
	return fmt.Sprintf("%s: %s %s, %s, %s%s, batch %d of %d², null set %s", s.machine(), model, stage, r.Optimizer.Name, r.Loss, precision, batch, size, r.Null.Name)
}

// evaluationKey is the key of Evaluations for an observer at a stage; of image metrics, where
// both are "".
func (s *Speeds) evaluationKey(p Plan, observer, stage string, size int) string {
	if observer == "" {
		return fmt.Sprintf("%s: image metrics of %d²", s.machine(), size)
	}
	return fmt.Sprintf("%s: %s of %s %s, %d²", s.machine(), strings.Join(p.observed(), "+"), observer, stage, size)
}

// observed are the plan's measures that need an observer.
func (p Plan) observed() (out []string) {
	for _, m := range p.measures() {
		if m != "metrics" {
			out = append(out, m)
		}
	}
	return out
}

// measures are those of the plan, which are all by default.
func (p Plan) measures() []string {
	if p.Measures == nil {
		return api.Measures
	}
	return p.Measures
}

// learn takes over what a run of one model shows of its steps, and what the files of a run
// take; alone says that no other run followed, for which something was done beside. Steps
// count that were taken while nothing else was.
func (s *Speeds) learn(p Plan, run *metamer.Run, w watch, alone bool, now time.Time) {
	r := run.Recipe
	step := w.late()
	if alone {
		step = w.middle()
	}
	if len(r.Tapped()) == 1 && step > 0 {
		key := s.key(p, r.Models[0].Name, r.Stage, r.Batch, r.Images.Size)
		if v, ok := s.Of[key]; ok {
			v.Step = (v.Step + step) / 2
			s.Of[key] = v
		}
	}
	if w.files.IsZero() || !alone {
		return
	}
	each := within(now.Sub(w.files).Seconds()/float64(r.Images.Count), 0, 60)
	key := s.filesKey(r.Images.Size)
	if v, ok := s.Files[key]; ok {
		each = v + (each-v)/4
	}
	if s.Files == nil {
		s.Files = map[string]float64{}
	}
	s.Files[key] = each
}

func within(v, low, high float64) float64 { return min(max(v, low), high) }

func nonzero(v float64) float64 {
	if v == 0 {
		return 1
	}
	return v
}
