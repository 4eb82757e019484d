// Package people defines recognition experiments in which people are the observers of
// metamers: the design of an experiment, and the rows that its page writes. Its
// subpackages write the page, serve it, read the answers and answer as simulated
// participants.
package people

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// DesignName is the file of a design in an experiment's folder.
const DesignName = "design.json"

// Natural is the condition in which the reference itself is shown.
const Natural = -1

// Design is everything that determines an experiment. It is saved before the first
// participant and never changes: each row of data names its SHA-256.
type Design struct {
	Format     int         `json:"format"` // of this file: 1
	Title      string      `json:"title"`
	Software   string      `json:"software"`
	Seed       uint64      `json:"seed"`
	Task       string      `json:"task,omitempty"`     // see Kind; empty: recognition
	Question   string      `json:"question,omitempty"` // above the choices
	Pairs      string      `json:"pairs,omitempty"`    // of the task more-natural
	Images     ImageSet    `json:"images"`
	Choices    []Choice    `json:"choices"`
	AnswersOf  string      `json:"answersOf"` // what says which answer is right: "labels" or the name of a model
	Conditions []Condition `json:"conditions"`
	Stimuli    []Stimulus  `json:"stimuli"`
	Masks      []File      `json:"masks"`
	Practice   []int       `json:"practice"` // indices of stimuli, shown first, with feedback
	Catch      []int       `json:"catch"`    // indices of stimuli: natural images among the trials
	// Schedules are the trials of each participant in order, as indices of stimuli. The
	// schedule of participant p, from 0, is the one at p modulo their number.
	Schedules [][]int   `json:"schedules"`
	Times     Times     `json:"times"`
	Display   Display   `json:"display"`
	Break     int       `json:"break"` // trials between breaks; 0: none
	Exclusion Exclusion `json:"exclusion"`
	Texts     Texts     `json:"texts"`
	// Left names references that no trial tests, and why.
	Left []Left `json:"left,omitempty"`
}

// ImageSet names the references.
type ImageSet struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	Size   int    `json:"size"` // pixels a side
	Count  int    `json:"count"`
}

// Choice is an answer and its key.
type Choice struct {
	Name string `json:"name"`
	Key  string `json:"key"`
}

// Condition is a run whose metamers are shown, or the references themselves (no run).
type Condition struct {
	Run   string `json:"run,omitempty"`
	Set   string `json:"set,omitempty"` // model names joined by "+"
	Stage string `json:"stage,omitempty"`
	// Passed of the run's Tested images have the same activations as their references by
	// the run's match statistics.
	Passed int `json:"passed,omitempty"`
	Tested int `json:"tested,omitempty"`
	// Made says how the metamers were made, for rows.
	Made *metamer.Made `json:"made,omitempty"`
}

// String is what tables call a condition.
func (c Condition) String() string {
	if c.Run == "" {
		return "natural"
	}
	return c.Set + ", " + c.Stage
}

// File is a file of the page.
type File struct {
	Path   string `json:"path"` // below the folder, with slashes
	SHA256 string `json:"sha256"`
}

// Stimulus is an image that is shown.
type Stimulus struct {
	File
	Condition int    `json:"condition"` // index, or Natural for images of practice and catch trials
	Image     int    `json:"image"`     // index in the image set; -1 for an image from elsewhere
	Name      string `json:"name"`
	Answer    int    `json:"answer"` // index of the right choice
	Verdict   string `json:"verdict,omitempty"`
	Other     *Other `json:"other,omitempty"` // in tasks with two images
}

// Other is the second image of a trial: the one that comes first (same-different) or stands
// beside the stimulus (more-natural). With more-natural the answer is the stimulus's side.
type Other struct {
	File
	Condition int `json:"condition"` // index, or Natural: the reference, or an image of practice and catch trials
}

// Times are numbers of frames at Refresh frames a second. A display of another rate
// shows the number of its own frames that is nearest in time.
type Times struct {
	Refresh  float64 `json:"refresh"`
	Fixation int     `json:"fixation"`
	Image    int     `json:"image"`
	Gap      int     `json:"gap,omitempty"` // between the two images of same-different
	Mask     int     `json:"mask"`
	Limit    int     `json:"limit"` // milliseconds for an answer; 0: no limit
}

// Display says how large images are shown.
type Display struct {
	Magnification int     `json:"magnification"` // pixels of the display for each pixel of the image; 0: as Degrees asks
	Degrees       float64 `json:"degrees"`       // visual angle of a side; the nearest whole magnification is taken unless Smooth
	Smooth        bool    `json:"smooth"`
	Calibrate     bool    `json:"calibrate"` // measure the display and the viewing distance
}

// Exclusion is the rule, stated beforehand, by which participants and trials are left out.
type Exclusion struct {
	CatchAtLeast float64 `json:"catchAtLeast"` // share of catch trials that must be right
	FastMS       float64 `json:"fastMs"`       // an answer that comes sooner is fast
	FastAtMost   float64 `json:"fastAtMost"`   // share of trials that may be fast
	ShownWithin  float64 `json:"shownWithinMs"`
	Incomplete   bool    `json:"keepIncomplete"` // participants who did not reach the end count too
}

// String says the rule for people.
func (e Exclusion) String() string {
	s := fmt.Sprintf("A participant is left out with fewer than %g %% of the catch trials right, or with more than %g %% of the answers sooner than %g ms", 100*e.CatchAtLeast, 100*e.FastAtMost, e.FastMS)
	if !e.Incomplete {
		s += ", or without the last trial"
	}
	return s + fmt.Sprintf(". A trial is left out when its image was shown for a time more than %g ms off, or when no answer came.", e.ShownWithin)
}

// Texts are what a participant reads, as HTML.
type Texts struct {
	Consent      string   `json:"consent" yaml:"consent"`
	Instructions []string `json:"instructions" yaml:"instructions"`
	Debrief      string   `json:"debrief" yaml:"debrief"`
}

// Left is a reference that is not tested.
type Left struct {
	Image int    `json:"image"`
	Name  string `json:"name"`
	Why   string `json:"why"`
}

// Encode returns the bytes of the design's file.
func (d *Design) Encode() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(d); err != nil {
		panic("people: " + err.Error()) // NaN or Inf: Validate refuses them first
	}
	// A schedule on one line, so that people can read the file.
	return shortLists.ReplaceAllFunc(b.Bytes(), func(m []byte) []byte {
		return []byte(strings.ReplaceAll(strings.Join(strings.Fields(string(m)), ""), ",", ", "))
	})
}

// SHA256 of the design's file.
func (d *Design) SHA256() string {
	sum := sha256.Sum256(d.Encode())
	return hex.EncodeToString(sum[:])
}

// Load reads the design of an experiment's folder or file.
func Load(path string) (*Design, error) {
	folder := path
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		path = filepath.Join(path, DesignName)
	}
	data, err := paths.ReadFile(path)
	if folder != path && errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("experiment: %s is not the folder of an experiment: %w", folder, err)
	}
	if err != nil {
		return nil, fmt.Errorf("experiment: %w", err)
	}
	d := &Design{}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(d); err != nil {
		return nil, fmt.Errorf("experiment: %s: %w", path, err)
	}
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("experiment: %s: %w", path, err)
	}
	if !bytes.Equal(d.Encode(), data) {
		return nil, fmt.Errorf("experiment: %s was edited: a design never changes once it is saved; make another experiment", path)
	}
	return d, nil
}

// Trials are the trials of a participant, from 0.
func (d *Design) Trials(participant int) []int {
	return d.Schedules[participant%len(d.Schedules)]
}

// IsCatch reports whether a stimulus is a catch trial's.
func (d *Design) IsCatch(stimulus int) bool { return slices.Contains(d.Catch, stimulus) }
