package metamer

import (
	"encoding/json"
	"strings"
	"time"
)

// Evidence says, for one image and one member, whether the metamer matches.
type Evidence struct {
	Image     int     `json:"image"`  // index in the image set
	Member    string  `json:"member"` // model name
	Loss      float64 `json:"loss"`   // relative L2 distance of the activations
	Pearson   float64 `json:"pearson"`
	Spearman  float64 `json:"spearman"`
	SNR       float64 `json:"snr"` // dB, 10·log10(Σ ref² / Σ (ref−met)²)
	RefClass  int     `json:"refClass"`
	Class     int     `json:"class"`
	SameClass bool    `json:"sameClass"`
	Verdict   string  `json:"verdict"` // pass | fail | none (a set of one image has no null)
	Why       string  `json:"why,omitempty"`
}

// Null summarises the distribution of the three measures over random pairs of
// different reference images, for one member: each bound is the largest value
// any pair reached, and the metamer has to lie above it.
type Null struct {
	Member   string  `json:"member"`
	Pairs    int     `json:"pairs"`
	Pearson  float64 `json:"pearson"`
	Spearman float64 `json:"spearman"`
	SNR      float64 `json:"snr"`
}

// Trace is the inversion loss during a run. Row i holds the losses of model
// Member[i] before step Step[i], for the images from Image[i] on.
type Trace struct {
	Step   []int       `json:"step"`
	Member []int       `json:"member"`
	Image  []int       `json:"image"`
	Loss   [][]float32 `json:"loss"`
}

// Run is a recipe carried out.
type Run struct {
	ID       string
	Dir      string // "" when it was not saved
	Recipe   Recipe
	Metamers []float32 // [N,Size,Size,3] in [0,1]
	Start    []float32 // the initial image, same shape
	Trace    Trace
	Evidence []Evidence
	Nulls    []Null
	StepsRun int     // steps of the image that took the most
	Seconds  float64 // wall time of the synthesis, over all sessions that worked on it
	Cached   bool    // it was there already
	Source   string  // the file or folder of metamers made elsewhere, "" for our own
	// Stopped says why the run ended before its steps, "" if it did not: an image
	// set that met a stop criterion, or a NaN (step, image, model).
	Stopped string
}

// Made says how the run was made, for its rows.
func (r *Run) Made() *Made {
	m := r.Recipe.Made()
	if r.Source == "" {
		return m
	}
	m.Optimizer = "elsewhere"
	name, err := json.Marshal(r.Source)
	if err != nil {
		panic("metamer: " + err.Error()) // of a string: never
	}
	m.Settings = strings.TrimSuffix(m.Settings, "}") + `,"metamers":` + string(name) + "}"
	return m
}

// Passed returns for each image whether every member's verdict is pass.
func (r *Run) Passed() []bool {
	ok := make([]bool, r.Recipe.Images.Count)
	for i := range ok {
		ok[i] = len(r.Evidence) > 0
	}
	for _, e := range r.Evidence {
		ok[e.Image] = ok[e.Image] && e.Verdict == "pass"
	}
	return ok
}

// PassCount returns how many images pass for every member.
func (r *Run) PassCount() int {
	n := 0
	for _, ok := range r.Passed() {
		n += b2i(ok)
	}
	return n
}

// Progress is what a running synthesis or evaluation reports. In an evaluation steps
// are pairs of a run and an observer, and What names the one under way.
type Progress struct {
	Phase string // models | compile | start | synthesis | evidence | files | evaluation
	What  string
	Step  int // steps done by the batch
	Steps int // steps of the batch
	// Evaluations of one model's gradient that the batch has had, for each image.
	Evaluations int
	Image       int       // images finished before this batch
	Batch       int       // images of the batch, without what fills it up
	Full        int       // images of every batch but the last, which may have fewer
	Images      int       // images in all
	Loss        []float64 // mean over the batch, one a member; NaN while not yet seen
	// Preview holds the batch's images so far, [n,Size,Size,3], where a preview was
	// asked for and is due. It is valid during the call only.
	Preview []float32
	Usage   Usage
}

// Share is how much of all steps of all images is done, in [0,1].
func (p Progress) Share() float64 {
	return (float64(p.Image) + float64(p.Batch)*float64(p.Step)/float64(max(p.Steps, 1))) / float64(max(p.Images, 1))
}

// Usage is what the process that computes has used until now. Fields that cannot be told
// are 0.
type Usage struct {
	Processor time.Duration // of all cores together
	Cores     int
	Memory    uint64 // the most bytes of host memory that it has held at once
	// Device is the time in which kernels ran on the GPU, whoever's, as its driver's
	// samples say; that a kernel runs does not mean that it fills the GPU.
	Device time.Duration
}
