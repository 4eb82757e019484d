// Package local puts the engine into this program, so that models can be used that
// the program itself defines: a graph function, a weight file, and the layers that
// stand for the stages. It links GoMLX and XLA, so that a cell that imports it
// compiles longer than others.
package local

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/ensemble-metamers/metamers/metamerkit"
	"github.com/ensemble-metamers/metamers/metamerkit/card"
	"github.com/ensemble-metamers/metamers/metamerkit/engine"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/server"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// Model is a model of one's own.
type Model struct {
	Name string // runs are found again by it, by the weights, and by the graph that Forward draws
	// Forward draws the graph from normalised images [B,Size,Size,3] to logits
	// [B,Classes], and marks its layers (stage.Mark). It reads its weights by their
	// names in the file, with "/" for "." (block.Weight and the layers of zoo/block do).
	Forward func(s *model.Scope, images *graph.Node) *graph.Node
	Weights string // a PyTorch state dict or safetensors file
	SHA256  string // of that file; "": not checked

	Size      int        // pixels a side
	Mean, Std [3]float64 // R, G, B, of pixels in [0,1]; Std of 0 is 1
	Classes   int        // 0: no classifier
	Labels    string     // whose class names, such as cifar10
	Kind      string     // cnn (default) | transformer
	Training  string     // standard (default) | robust …
	// Stages maps early, middle and late to layers that Forward marks.
	Stages map[string]string
}

// Use puts an engine into this program, with models of its own beside those of the
// zoo, and makes it the one that the verbs of package metamerkit use. A model whose name
// was used before takes the place of that one. Later calls use the same engine.
func Use(models ...Model) error {
	uses.Lock()
	defer uses.Unlock()
	for _, m := range models {
		if err := m.introduce(); err != nil {
			return err
		}
	}
	if uses.engine == nil {
		e, err := engine.Open("")
		if err != nil {
			return err
		}
		uses.engine, uses.handler = e, server.New(e)
	}
	for _, m := range models {
		uses.engine.Forget(m.Name)
	}
	metamerkit.Use(uses.handler)
	return nil
}

func (m Model) introduce() error {
	if m.Name == "" || m.Forward == nil || m.Weights == "" {
		return fmt.Errorf("local: a model needs Name, Forward and Weights")
	}
	path, err := filepath.Abs(m.Weights)
	if err != nil {
		return fmt.Errorf("local: %w", err)
	}
	if m.SHA256 == "" { // what is there now is what runs are made with
		if m.SHA256, err = paths.Sum(path); err != nil {
			return fmt.Errorf("local: the weights of %s: %w", m.Name, err)
		}
	}
	c := &card.Card{
		Name: m.Name, Title: "defined in " + program(), Kind: m.Kind, Training: m.Training, Family: family(m.Name), Classes: m.Classes, Labels: m.Labels,
		Input:   card.Input{Size: m.Size, Mean: m.Mean, Std: m.Std},
		Weights: card.Weights{File: filepath.Base(path), Path: path, SHA256: m.SHA256, Source: "this program"},
		Stages:  map[string]card.Layer{}, Licence: "its author's",
	}
	if c.Kind == "" {
		c.Kind = "cnn"
	}
	if c.Training == "" {
		c.Training = "standard"
	}
	for i, s := range c.Input.Std {
		if s == 0 {
			c.Input.Std[i] = 1
		}
	}
	for stage, layer := range m.Stages {
		c.Stages[stage] = card.Layer{Layer: layer, Why: "named by its author"}
	}
	if err := zoo.Introduce(c); err != nil {
		return fmt.Errorf("local: model %s: %w", m.Name, err)
	}
	drawn, err := zoo.Fingerprint(c, m.Forward)
	if err != nil {
		zoo.Withdraw(c.Name)
		return fmt.Errorf("local: %w", err)
	}
	zoo.RegisterPyTorch(c.Family, func(json.RawMessage) (zoo.Forward, error) { return m.Forward, nil })
	zoo.RegisterSum(c.Family, func(path string, sum func(string) (string, error)) (string, error) {
		weights, err := sum(path)
		both := sha256.Sum256([]byte(weights + drawn))
		return hex.EncodeToString(both[:]), err
	})
	return nil
}

var uses struct {
	sync.Mutex
	count   map[string]int // by name
	engine  *engine.Engine
	handler *server.Handler
}

// Constants are part of what identifies a model, whatever their size.
func init() { graph.MinConstValueSizeToKeep = math.MaxInt }

// family names the family of a model: a new one each time, because its function may be
// another one. The lock is held.
func family(name string) string {
	if uses.count == nil {
		uses.count = map[string]int{}
	}
	uses.count[name]++
	if n := uses.count[name]; n > 1 {
		return fmt.Sprintf("local %s %d", name, n)
	}
	return "local " + name
}

func program() string {
	if _, file, _, ok := runtime.Caller(3); ok {
		return filepath.Base(file)
	}
	return "a program"
}
