package metamerkit

import "github.com/ensemble-metamers/metamers/metamerkit/metamer"

// Plan says what an experiment is made of. Its zero value with Sets is a plan. Plan files
// (docs/studies.md) have the same entries.
type Plan struct {
	Name   string
	About  string              // what it is, in a sentence
	Images string              // an image set, such as photos:16 (default), cifar10:64 or a folder
	Size   int                 // pixels a side of files; 0: the set's own default
	Groups map[string][]string // model sets that have a name, which Sets may use and figures show
	// Sets are lists of model names or patterns, such as *.mm_c10 or transformer:*, or
	// one name of a group.
	Sets   [][]string
	Stages []string // default early, middle, late

	Settings Settings

	Observers []string // default: every model that is here and knows the same classes
	Measures  []string // default: all
	Bootstrap int      // resamples for intervals; 0: the evaluation's default
	Examples  []int    // images shown in the gallery; default the first four
}

// Settings are those of a recipe; zero values are its defaults.
type Settings struct {
	// Paper is the paper's procedure, projected gradient descent with 5000 steps, for what
	// the other settings leave open.
	Paper     bool
	Steps     int
	Schedule  metamer.Schedule
	Optimizer metamer.Optimizer
	Loss      string
	Start     string
	Batch     int // images in one executable; metamer.AutoBatch: as many as fill the device
	Seed      uint64
	PlainReLU bool
	Precision string // float32 (default), bfloat16 or mixed
	Null      string // the null set of the match statistics: photos:64 (default), cifar10:1000, a folder, none
}

// Paper are the settings of the paper's procedure. A recipe has it by its method Paper.
var Paper = Settings{Paper: true}
