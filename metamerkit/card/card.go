// Package card reads model cards: what a model is, where its weights come from
// and which of its layers stand for the stages.
package card

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
)

// Layer is the layer that stands for a stage.
type Layer struct {
	Layer string `json:"layer"` // the name under which the model marks it, or an ONNX node
	Why   string `json:"why"`
}

// Input says what images a model reads. Users hand every model pixels in [0,1];
// the model resizes and normalises inside its graph.
type Input struct {
	Size int        `json:"size"` // pixels a side
	Mean [3]float64 `json:"mean"` // R, G, B, of pixels in [0,1]
	Std  [3]float64 `json:"std"`
}

// Weights says which file holds the parameters.
type Weights struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
	Source string `json:"source"` // where the file was published
}

// Measured is a test accuracy in percent that this project measured.
type Measured struct {
	Data     string  `json:"data"`
	Accuracy float64 `json:"accuracy"`
}

// Card describes one model.
type Card struct {
	Name     string           `json:"name"`
	Aliases  []string         `json:"aliases,omitempty"`
	Title    string           `json:"title"`
	Kind     string           `json:"kind"`     // cnn | transformer
	Training string           `json:"training"` // standard | robust
	Family   string           `json:"family"`   // a family of package zoo
	Config   json.RawMessage  `json:"config,omitempty"`
	Input    Input            `json:"input"`
	Classes  int              `json:"classes"`
	Labels   string           `json:"labels"` // whose class names, such as cifar10
	Stages   map[string]Layer `json:"stages"`
	Weights  Weights          `json:"weights"`
	Licence  string           `json:"licence"`
	Paper    string           `json:"paper,omitempty"`
	Measured []Measured       `json:"measured,omitempty"`
}

// MaxBytes is the largest card that Parse reads.
const MaxBytes = 1 << 20

var (
	hexDigest = regexp.MustCompile(`^[0-9a-f]{64}$`)
	goodName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)
)

// Parse reads a card. Unknown fields, missing stages and impossible values are
// errors that name the field.
func Parse(data []byte) (*Card, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("card: %d bytes, expected at most %d", len(data), MaxBytes)
	}
	var c Card
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return nil, fmt.Errorf("card: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("card: text after the closing brace")
	}
	return &c, c.validate()
}

func (c *Card) validate() error {
	bad := func(field string, got any, want string) error {
		return fmt.Errorf("card %q: %s is %#v, expected %s", c.Name, field, got, want)
	}
	for _, n := range append([]string{c.Name}, c.Aliases...) {
		if !goodName.MatchString(n) {
			return bad("name", n, "letters, digits, _ . and -")
		}
	}
	switch {
	case c.Family == "":
		return bad("family", c.Family, "a family of the zoo")
	case !slices.Contains([]string{"cnn", "transformer"}, c.Kind):
		return bad("kind", c.Kind, "cnn or transformer")
	case !slices.Contains([]string{"standard", "robust"}, c.Training):
		return bad("training", c.Training, "standard or robust")
	case c.Input.Size < 1 || c.Input.Size > 4096:
		return bad("input.size", c.Input.Size, "1 to 4096 pixels")
	case c.Classes < 0 || c.Classes > 1<<20:
		return bad("classes", c.Classes, "0 (no classifier) to 1048576")
	case c.Weights.File == "" || !goodName.MatchString(c.Weights.File):
		return bad("weights.file", c.Weights.File, "a file name without folders")
	case !hexDigest.MatchString(c.Weights.SHA256):
		return bad("weights.sha256", c.Weights.SHA256, "64 lower-case hexadecimal digits")
	}
	for i := range 3 {
		if m, s := c.Input.Mean[i], c.Input.Std[i]; math.Abs(m) > 10 || !(s > 0 && s < 100) {
			return bad("input.mean/std", [2]float64{m, s}, "finite numbers, std above 0")
		}
	}
	for _, st := range []string{"early", "middle", "late"} {
		if c.Stages[st].Layer == "" {
			return bad("stages."+st, "", "a layer name")
		}
	}
	if len(c.Stages) != 3 {
		return bad("stages", len(c.Stages), "early, middle and late only")
	}
	return nil
}
