package metamer

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// The verdicts of an image and a member.
const (
	Pass      = "pass"
	Fail      = "fail"
	NotTested = "not tested" // there is no null set, or it has too few pairs
)

// MatchStatistics holds the match statistics of one image and one member, and the verdict.
type MatchStatistics struct {
	Image     int     `json:"image"`  // index in the image set
	Member    string  `json:"member"` // model name
	Loss      float64 `json:"loss"`   // relative L2 distance of the activations
	Pearson   float64 `json:"pearson"`
	Spearman  float64 `json:"spearman"`
	SNR       float64 `json:"snr"` // dB, 10·log10(Σ ref² / Σ (ref−met)²)
	RefClass  int     `json:"refClass"`
	Class     int     `json:"class"`
	SameClass bool    `json:"sameClass"`
	Verdict   string  `json:"verdict"` // Pass | Fail | NotTested ("none" in old runs of a single image)
	Why       string  `json:"why,omitempty"`

	// Of the image rounded to 8 bits, as a PNG file holds it; "" and 0 in runs made before
	// that was tested.
	PNGVerdict string  `json:"pngVerdict,omitempty"`
	PNGLoss    float64 `json:"pngLoss,omitempty"`

	// The empirical p of each statistic, (k+1)/(n+1) where k of n null pairs reach it; 0
	// where it is not tested, and in runs made before there were null sets.
	PPearson  float64 `json:"pPearson,omitempty"`
	PSpearman float64 `json:"pSpearman,omitempty"`
	PSNR      float64 `json:"pSNR,omitempty"`
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
	ID         string
	Dir        string // "" when it was not saved
	Recipe     Recipe
	Names      []string  // of the reference images, such as magpie of magpie.jpg; nil in runs made before they were kept
	Metamers   []float32 // [N,Size,Size,3] in [0,1]
	Start      []float32 // the initial image, same shape
	Trace      Trace
	Statistics []MatchStatistics
	Nulls      []Null
	// Against and AgainstNulls are the same of the models of Recipe.Against.
	Against      []MatchStatistics
	AgainstNulls []Null
	StepsRun     int     // steps of the image that took the most
	Seconds      float64 // wall time of the synthesis, over all sessions that worked on it
	Cached       bool    // it was there already
	Source       string  // the file or folder of metamers made elsewhere, "" for our own
	// Stopped says why the run ended before its steps, "" if it did not: its images met a
	// stop criterion.
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

// Outcomes returns the verdict of each image: Fail if it is that of any member, Pass if
// it is that of all.
func (r *Run) Outcomes() []string {
	return r.outcomes(r.Statistics, func(e MatchStatistics) string { return e.Verdict })
}

func (r *Run) outcomes(statistics []MatchStatistics, of func(e MatchStatistics) string) []string {
	out := make([]string, r.Recipe.Images.Count)
	for _, e := range statistics {
		switch verdict, o := of(e), &out[e.Image]; {
		case verdict == Fail || *o == Fail:
			*o = Fail
		case verdict != Pass || *o == NotTested:
			*o = NotTested
		default:
			*o = Pass
		}
	}
	for i, o := range out {
		if o == "" { // a run without match statistics
			out[i] = NotTested
		}
	}
	return out
}

// Tally returns how many images are tested, and how many of these pass for every member.
func (r *Run) Tally() (pass, tested int) { return tally(r.Outcomes()) }

// PNGTally is Tally of the images as PNG files hold them. None is tested in runs made
// before that was.
func (r *Run) PNGTally() (pass, tested int) {
	return tally(r.outcomes(r.Statistics, func(e MatchStatistics) string { return e.PNGVerdict }))
}

func tally(outcomes []string) (pass, tested int) {
	for _, o := range outcomes {
		pass, tested = pass+b2i(o == Pass), tested+b2i(o != NotTested)
	}
	return pass, tested
}

// PassCount returns how many images pass for every member.
func (r *Run) PassCount() int {
	pass, _ := r.Tally()
	return pass
}

// Verdict says in one phrase how many images are metamers, or why that is not tested.
func (r *Run) Verdict() string {
	n := r.Recipe.Images.Count
	images := func(n int) string {
		if n == 1 {
			return "1 image"
		}
		return fmt.Sprintf("%d images", n)
	}
	pass, tested := r.Tally()
	if tested == 0 {
		why := "it has no match statistics"
		for _, null := range r.Nulls {
			why = null.Untested()
		}
		return fmt.Sprintf("%s not tested: %s", images(n), why)
	}
	are := "are metamers"
	if tested == 1 {
		are = "is a metamer"
	}
	text := fmt.Sprintf("%d of %s %s for every member", pass, images(tested), are)
	if tested < n {
		text += fmt.Sprintf(", %d not tested", n-tested)
	}
	if r.Recipe.Against != nil {
		text += "; " + r.apartText()
	}
	if r.Recipe.Variants != nil && r.Metamers != nil {
		text += "; " + r.spreadText()
	}
	return text
}

// Name is what image i is called: by its file where that is known, else by its number.
func (r *Run) Name(i int) string {
	if i < len(r.Names) {
		return r.Names[i]
	}
	return fmt.Sprintf("%03d", i)
}

// Phase is what a synthesis or an evaluation does.
type Phase string

// The phases of a synthesis, in order, and of an evaluation.
const (
	Opening    Phase = "models"    // models are opened
	Compiling  Phase = "compile"   // units are compiled
	Starting   Phase = "start"     // targets are computed and the first steps taken
	Stepping   Phase = "synthesis" // steps are taken
	Matching   Phase = "matching"  // match statistics are computed
	Writing    Phase = "files"     // files are written
	Evaluating Phase = "evaluation"
)

// Progress is what a running synthesis or evaluation reports, for people. In an evaluation
// steps are pairs of a run and an observer, and What names the one under way.
type Progress struct {
	Phase Phase
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
	// Preview holds the batch's images so far, [n,Size,Size,3] in [0,1], if previews were
	// requested and one is due. It is valid during the call only.
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
