package onnx

import ()

// oldest and newest are the opsets of files that are read. Before 7 broadcasting meant
// something else.
const (
	oldest = 7
	newest = 28
)

// operator computes the nodes of one name. It is right for all opsets from since to
// until and for all attributes that it reads; others are refused.
type operator struct {
	since, until int
	run          func(c *call) []*value

	// fold computes it where all inputs are constants on the host; nil: it is drawn as
	// any other node.
	fold func(c *call) []*tensor

	passes bool // its first output is its first input
}

// operators is filled by the files of this package, each of which adds its own.
var operators = map[string]operator{}

// register adds operators of one output.
func register(since int, run func(c *call) *value, fold func(c *call) *tensor, names ...string) {
	op := operator{since: since, until: newest, run: func(c *call) []*value { return []*value{run(c)} }}
	if fold != nil {
		op.fold = func(c *call) []*tensor { return []*tensor{fold(c)} }
	}
	for _, name := range names {
		if _, twice := operators[name]; twice {
			panic("onnx: operator " + name + " is registered twice")
		}
		operators[name] = op
	}
}
