package api

import (
	"context"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/table"
)

// Service answers requests, in this process (server.Handler) or in another
// (client.Client).
//
// Do returns the reply to a request, or an error whose kind errors.As and errors.Is find:
// *metamer.UnknownError for a name, *MissingImagesError for an image set that has to be sent
// first, ErrForgotten for a study that has to be carried out again, context.Canceled. It
// calls show with progress and warnings, one call after the other, and no longer after it
// returned. If ctx ends, the work ends within one chunk of steps, and finished work stays in
// the store.
type Service interface {
	Do(ctx context.Context, q Request, show func(Event)) (*Reply, error)
}

// Request is one request: exactly one of its pointers is set.
//
// Requests name image sets by their SHA-256 (and by name, since other images may have the
// same pixels) and runs by their ID, so that pixels are sent once at most: the reply to Open
// names an image set, and Put sends one that the program made. A request for an image set
// that the server does not have fails with a *MissingImagesError; the client then sends the
// set and repeats the request.
type Request struct {
	Store    string // the store of runs, as runs.Open takes it
	Folder   string // the folder to which file names are relative
	Data     string // METAMERS_DATA of the program
	Notebook bool   // whether progress is shown in a cell

	Open       *Open
	Put        *Put
	Pixels     *Pixels
	Models     *Models
	Synthesize *Synthesis  // for Recipe.Images. Reply: Runs, one
	Evaluate   *Evaluation // of Runs, each of which needs its ID only. Reply: Rows
	Distort    *Distorting // of Named. Reply: Distortions, and Figure, their sheet
	Study      *Study
	Parts      *StudyParts
	Draw       *Drawing
	Copy       *Copy
	Experiment *Experiment

	Status *Nothing // Reply: Status
	Hold   *Nothing // keeps the server alive until the connection ends
	Stop   *Nothing // ends the server
}

// Nothing is a request without settings. Set is true, because gob does not send a structure
// without values.
type Nothing struct{ Set bool }

// Open opens an image set. Reply: Images and SHA256.
type Open struct {
	Spec []string // as images.Open takes it
	Size int      // pixels a side; 0: the set's own
}

// Put sends an image set. Reply: SHA256.
type Put struct {
	Images metamer.ImageSet // without the pixels
	Pixels Floats
}

// Pixels requests the pixels of an image set, or the metamers and initial images of a run:
// float32 [N,Size,Size,3] in [0,1]. Reply: Pixels, and Start of a run.
type Pixels struct {
	Images metamer.ImageRef
	Run    string // ID; "": the pixels of Images
}

// Models requests the list of all models that the engine knows. All is true (see Nothing).
// Reply: Models.
type Models struct{ All bool }

// Study carries out a plan. Reply: Study.
type Study struct {
	Plan   []byte            // a Plan as JSON
	Images *metamer.ImageRef // the plan's images; nil: the server opens them by the plan
}

// StudyParts requests parts of a finished study. If the server no longer has the study in
// memory, the request fails with ErrForgotten.
type StudyParts struct {
	ID     string  // Result.ID
	Rows   bool    // Reply: Rows
	Runs   bool    // Reply: Runs and Images
	Figure *Format // Reply: Figure
	Table  string  // one of study.TableNames. Reply: Tables, one
	Write  string  // a folder into which the whole study is written. Reply: Texts, warnings
}

// Format is the file format of a figure.
type Format struct {
	Name string // one of study.FigureNames
	Kind string // png, svg or pdf
	DPI  int    // dots an inch of a PNG, 10 to 2400; 0: 110
}

// Drawing requests a picture of a run or of an image set. Reply: Figure.
type Drawing struct {
	Run     string           // ID; "": a contact sheet of Images alone
	Images  metamer.ImageRef // the image set, or the references of the run
	Sheet   string           // title of the contact sheet
	PerLine int              // images in one line of the sheet; 0: all of them
	Loss    *Format          // if set: the plot of the run's loss instead of a contact sheet
}

// Copy requests the files of a run by its ID, for a store on another machine. Reply: Files.
type Copy struct{ Run string }

// Experiment writes the page of a recognition experiment (docs/people.md). Reply: Texts: the
// path of the page, the SHA-256 of its design, and a description.
type Experiment struct {
	Runs   []string          // IDs
	Others *metamer.ImageRef // images for practice and catch trials; nil: some references are held out
	Out    string            // the folder, which must be new or empty
}

// Figure is a rendered figure with its title and caption.
type Figure struct {
	Name, Title, Caption string
	Data                 []byte // the file, in the requested format
}

// Result is a finished study.
type Result struct {
	ID     string // for StudyParts
	Plan   []byte // a Plan as JSON, with all defaults and the full names of models
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
	Distortions   []Distortions
	Study         *Result
	Figure        *Figure
	Tables        []table.Table
	Texts         []string
	Files         map[string][]byte // by name; the manifest says their SHA-256
	Saved         []string          // IDs of the request's runs that are in the server's store
	Status        *Status
}

// Event is one message of the server. One field is set. The last event of a request has
// Failed or Reply.
type Event struct {
	Hello   *Status // the first event of a connection
	Alive   bool    // the server is still working but has no news
	Shown   *Shown  // progress, which replaces the progress shown before
	Warning string
	Failed  *Failure
	Reply   *Reply
}

// Status describes a server.
type Status struct {
	Protocol int
	PID      int
	Backend  string
	Program  string // path of the executable
	Stale    bool   // whether the executable was replaced since the server started
	Started  time.Time
	Holders  int      // connections that sent Hold, which keep the server alive
	Working  int      // requests under way
	MemoryMB uint64   // resident memory of the process, in MiB
	Models   []string // names of the models in memory
}

// Shown is progress as HTML, and as text for terminals.
type Shown struct{ Text, HTML string }

// Last returns the final progress of work that ended with err after a time: "done in 1.5s",
// or "stopped after 1.5s" if err is not nil.
func Last(err error, took time.Duration) *Shown {
	text := "done in "
	if err != nil {
		text = "stopped after "
	}
	text += took.Round(100 * time.Millisecond).String()
	return &Shown{Text: text, HTML: `<div style="font:13px sans-serif;color:#666">` + text + `</div>`}
}
