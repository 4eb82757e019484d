// Package protocol is what the kernel and the process of a session say to each other: one
// JSON text after the other on two pipes.
package protocol

import "time"

// A Request goes to the process of the session.
type Request struct {
	Kind    string            `json:"kind"`
	Number  int64             `json:"number"`            // that the reply repeats
	Package string            `json:"package,omitempty"` // path
	File    string            `json:"file,omitempty"`    // the plugin
	Cell    string            `json:"cell,omitempty"`    // number of the execution, for displays
	Grace   time.Duration     `json:"grace,omitempty"`   // that an interrupted cell has
	Stdin   string            `json:"stdin,omitempty"`   // file to read standard input from
	Env     map[string]string `json:"env,omitempty"`
	Dir     string            `json:"dir,omitempty"`
	Values  []Place           `json:"values,omitempty"`
}

// Kinds of requests.
const (
	KindRun       = "run"       // load the plugin, if it is not, and run the cell
	KindInterrupt = "interrupt" // the running cell; answered when its grace is over
	KindSet       = "set"       // environment and folder
	KindValues    = "values"    // describe variables
)

// A Place says where a variable is: the nth of a package.
type Place struct {
	Package string `json:"package"`
	Index   int    `json:"index"`
}

// A Reply comes back.
type Reply struct {
	Number  int64   `json:"number"`            // of the request
	Error   string  `json:"error,omitempty"`   // the request could not be carried out
	Loaded  bool    `json:"loaded,omitempty"`  // the package is there
	Defined []bool  `json:"defined,omitempty"` // variables that the cell reached
	Panic   string  `json:"panic,omitempty"`   // as Go prints it
	Failed  string  `json:"failed,omitempty"`  // the error that ended the cell
	Stopped bool    `json:"stopped,omitempty"` // by an interrupt
	Values  []Value `json:"values,omitempty"`
	Elapsed float64 `json:"elapsed,omitempty"` // seconds that the cell ran
	Plugins int64   `json:"plugins,omitempty"` // bytes of the plugins that are loaded
	Late    string  `json:"late,omitempty"`    // the cell whose grace is over; there is nothing else then
}

// A Value describes a variable.
type Value struct {
	Type  string `json:"type"`
	Text  string `json:"text"`
	Bytes int64  `json:"bytes"` // about; with what it refers to
}
