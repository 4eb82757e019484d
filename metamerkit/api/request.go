package api

import (
	"context"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/table"
)

// Service answers requests: in this process (server.Handler) or in another
// (client.Client). Progress and warnings go to show, one call after the other.
type Service interface {
	Do(ctx context.Context, q Request, show func(Event)) (*Reply, error)
}

// Request asks for one thing: of the pointers exactly one is set, or Hold or Stop.
//
// Pixels do not travel in requests. Image sets are named by their SHA-256 (and by name,
// since other images may have the same pixels): the reply to Open names one, Put sends one
// that the program made itself. Runs are named by their
// ID. Who asks for an image set that the server does not have gets a
// *MissingImagesError, sends it and asks again.
type Request struct {
	Store    string // where runs are kept, as runs.Open takes it
	Folder   string // file names are relative to it
	Data     string // METAMERS_DATA of the program
	Notebook bool   // progress is shown in a cell

	Open       *Open
	Put        *Put
	Pixels     *Pixels
	Models     *Models
	Synthesize *Synthesis  // of Recipe.Images. Reply: Runs, one
	Evaluate   *Evaluation // of Runs that have an ID each. Reply: Rows
	Study      *Study
	Recall     *Recall
	Draw       *Drawing
	Copy       *Copy
	Experiment *Experiment

	Status *Nothing // Reply: Status
	Hold   *Nothing // keeps the server alive until the connection ends
	Stop   *Nothing // ends the server
}

// Nothing is a request without settings. (gob does not send empty structures.)
type Nothing struct{ Ask bool }

// Open opens an image set (see images.Open). Reply: Images and SHA256.
type Open struct {
	Spec []string
	Size int // pixels a side; 0: the set's own
}

// Put sends an image set. Reply: SHA256.
type Put struct {
	Images metamer.ImageSet // without the pixels
	Pixels Floats
}

// Pixels asks for the pixels of an image set or of a run. Reply: Pixels, and Start of a run.
type Pixels struct {
	Images metamer.ImageRef
	Run    string // ID; "": of Images
}

// Models asks for all models that the engine knows. Reply: Models.
type Models struct{ All bool }

// Study carries a plan out. Reply: Study.
type Study struct {
	Plan   []byte            // of study.Plan, in JSON
	Images *metamer.ImageRef // the plan's images; nil: the server opens them by the plan
}

// Recall asks for parts of a study that was carried out. A server that has forgotten the
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

// Drawing asks for a picture of a run or an image set. Reply: Figure.
type Drawing struct {
	Run     string           // ID; "": of Images alone
	Images  metamer.ImageRef // of a run: its references
	Sheet   string           // title of the contact sheet
	PerLine int              // images side by side; 0: as many as there are
	Loss    *Format
}

// Copy asks for the files of a run, for the store of a program on another machine. Reply:
// Files.
type Copy struct{ Run string }

// Experiment asks for the page of a recognition experiment (docs/people.md). Reply: Texts,
// what was made.
type Experiment struct {
	Runs   []string          // IDs
	Others *metamer.ImageRef // images for practice and catch trials; nil: references are held out
	Out    string            // the folder to write
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
	Images        *metamer.ImageSet // without pixels
	SHA256        string            // of Images
	Pixels, Start Floats
	Models        []Model
	Runs          []*metamer.Run // without pixels
	Rows          *Rows
	Study         *Result
	Figure        *Figure
	Tables        []table.Table
	Texts         []string
	Files         map[string][]byte // by name; the manifest says their SHA-256
	Saved         []string          // IDs of the runs that the server's store has of the request
	Status        *Status
}

// Event is one message of the server; one field is set. The last event of a request has
// Failed or Reply.
type Event struct {
	Hello   *Status // the first event of a connection
	Alive   bool    // nothing has happened for a while
	Shown   *Shown  // progress, in the place of what was shown before
	Warning string
	Failed  *Failure
	Reply   *Reply
}

// Status is what a server says of itself.
type Status struct {
	Protocol int
	PID      int
	Backend  string
	Program  string // path of the executable
	Stale    bool   // the executable was replaced since it was started
	Started  time.Time
	Holders  int // clients that keep it alive
	Working  int // requests under way
	MemoryMB uint64
	Models   []string // in memory
}

// Shown is progress as HTML, with a text for where HTML cannot be shown.
type Shown struct{ Text, HTML string }

// Last is what replaces the progress of work that has ended, and when it took so long.
func Last(err error, took time.Duration) *Shown {
	text := "done in "
	if err != nil {
		text = "stopped after "
	}
	text += took.Round(100 * time.Millisecond).String()
	return &Shown{Text: text, HTML: `<div style="font:13px sans-serif;color:#666">` + text + `</div>`}
}
