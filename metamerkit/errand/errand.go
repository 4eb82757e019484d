// Package errand is how the program of a notebook cell has work done that it does not
// link: it asks the process that holds the engine, over a socket that only its user can
// open (package desk answers there). Cells are built anew whenever they are edited, so
// this package, and all that it imports, is small.
//
// A connection begins with a Hello of the desk. Then each Request is answered by events,
// the last of which has a Reply or says what failed. When the program closes its side
// the work ends.
package errand

import (
	"context"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/table"
)

// Protocol is raised whenever what goes over the socket changes.
const Protocol = 1

// Desk carries errands out: in this process (package desk) or another (Client). What
// there is to show meanwhile comes by show, one call after the other.
type Desk interface {
	Do(ctx context.Context, q Request, show func(Event)) (*Reply, error)
}

// Request is an errand: of the pointers exactly one is set.
type Request struct {
	Store    string // where runs are kept, as runs.Open has it
	Folder   string // file names are relative to it
	Data     string // METAMERS_DATA of the program
	Notebook bool   // there is a cell to show progress in

	Open       *Open
	Models     *Models
	Synthesize *Synthesis
	Evaluate   *Evaluation
	Study      *Study
	Recall     *Recall
	Draw       *Drawing
}

// Open opens an image set (see images.Open). Reply: Images.
type Open struct {
	Spec []string
	Size int // 0: the set's own
}

// Models asks for all models that the engine knows. Reply: Models.
type Models struct{ All bool }

// Model is a model that the engine knows.
type Model struct {
	Card    *card.Card
	Missing string // what to do to have its weights, "" if they are there
}

// Synthesis asks for a run. Reply: Runs, one.
type Synthesis struct {
	Recipe metamer.Recipe
	Images *Images
}

// Evaluation measures runs that have the same references. Reply: Rows.
type Evaluation struct {
	Runs      []*Run
	Images    *Images
	Observers []string
}

// Study carries a plan out. Reply: Study.
type Study struct {
	Plan []byte // of study.Plan, in JSON
}

// Recall asks for parts of a study that was carried out. A desk that has forgotten the
// study says so (ErrForgotten).
type Recall struct {
	ID     string
	Rows   bool    // Reply: Rows
	Runs   bool    // Reply: Runs and Images
	Figure *Format // Reply: Figure
	Table  string  // one of study.TableNames. Reply: Tables, one
	Write  string  // a folder for all of it. Reply: Texts, the warnings
}

// Format of a picture.
type Format struct {
	Name string // one of study.FigureNames
	Kind string // png | svg | pdf
	DPI  int    // of png; 0: that of notebooks
}

// Drawing asks for a picture of what the program holds. Reply: Figure.
type Drawing struct {
	Sheet   string // title of a contact sheet of Images, and of Run if that is set
	PerLine int    // images side by side; 0: as many as there are
	Loss    *Format
	Images  *Images
	Run     *Run
}

// Figure is a picture with its words.
type Figure struct {
	Name, Title, Caption string
	Data                 []byte
}

// Result is what a study gave.
type Result struct {
	ID     string
	Plan   []byte // with all defaults and full names
	Took   time.Duration
	Tables []table.Table // 1 to 5
}

// Reply answers a request.
type Reply struct {
	Images *Images
	Models []Model
	Runs   []*Run
	Rows   *Rows
	Study  *Result
	Figure *Figure
	Tables []table.Table
	Texts  []string
}

// Event is one message of the desk; one field is set.
type Event struct {
	Hello   *Hello
	Shown   *Shown // progress, in the place of what was shown before
	Warning string
	Failed  *Failure
	Reply   *Reply
}

// Hello says who answers.
type Hello struct {
	Protocol int
	PID      int
	Stale    bool // its program was replaced since it was started
	Working  int  // requests under way
}

// Shown is progress as HTML, with a text for where there is none.
type Shown struct{ Text, HTML string }

// Last is what stands in the place of the progress of work that is over, however it
// ended, and when it took so long.
func Last(err error, took time.Duration) *Shown {
	text := "done in "
	if err != nil {
		text = "stopped after "
	}
	text += took.Round(100 * time.Millisecond).String()
	return &Shown{Text: text, HTML: `<div style="font:13px sans-serif;color:#666">` + text + `</div>`}
}
