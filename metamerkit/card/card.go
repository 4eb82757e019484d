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
	"strings"
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
	// Crop is the share of the resized image that the centre crop of the model's own
	// evaluation keeps (timm's crop_pct), 0 for 1. It matters where images are read
	// for one model (classify), not in synthesis, where all members see the same.
	Crop float64 `json:"crop,omitempty"`
	// Filter is the resampling of that evaluation: bicubic (default) or bilinear.
	Filter string `json:"filter,omitempty"`
	// Order is the order of the channels that the weights expect: rgb (default) or
	// bgr. Mean and Std are R, G, B all the same.
	Order string `json:"order,omitempty"`
}

// Weights says which file holds the parameters and where it can be had.
type Weights struct {
	File string `json:"file"`
	// SHA256 is the file's sum, or the first digits of it that its publisher states
	// (at least 8, as in torchvision's file names). Empty: not known when the card
	// was written; pulling the file pins what its publisher states then.
	SHA256   string `json:"sha256,omitempty"`
	Hub      string `json:"hub,omitempty"`      // a repository of the Hugging Face hub, such as timm/resnet50.a1_in1k
	Revision string `json:"revision,omitempty"` // of that repository
	// HubFile is the file's name in the repository where it is another file of the same
	// model than File, to which SHA256 does not apply: pulling it pins its sum. Empty:
	// the file is the same, there called model.safetensors if it is safetensors.
	HubFile string `json:"hubFile,omitempty"`
	URL     string `json:"url,omitempty"` // of the file itself, where it is on no hub
	// Key is the entry of a checkpoint that holds the state dict where it is not found by
	// its name, such as timm's state_dict_ema.
	Key string `json:"key,omitempty"`
	// Strip is the prefix of the names of the network's tensors, such as "student.backbone.",
	// where the usual prefixes do not find it. Tensors without it are left out.
	Strip string `json:"strip,omitempty"`
	// Copies are other files that hold the same parameters, for where File cannot be had.
	Copies []Copy `json:"copies,omitempty"`
	// Path is where the file lies on this machine: cards of users only.
	Path   string `json:"path,omitempty"`
	Source string `json:"source"` // where it was published, for people
}

// Pullable reports whether the card says where a program can get the weights.
func (w Weights) Pullable() bool { return w.Hub != "" || w.URL != "" || len(w.Copies) > 0 }

// Copy is a file with the parameters of another file, perhaps in another container or under
// other names.
type Copy struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"` // 64 digits
	// PyPI is the package, as name==version, whose wheel holds File. Nothing in a wheel is run.
	PyPI string `json:"pypi"`
}

// Measured is a test accuracy in percent that this project measured.
type Measured struct {
	Data     string  `json:"data"`
	Accuracy float64 `json:"accuracy"`
	Attack   string  `json:"attack,omitempty"` // under which attack, "" for none
	Images   int     `json:"images,omitempty"` // how many, where it is not all of them
}

// Trained says how weights that this project trained came about.
type Trained struct {
	Command string   `json:"command"` // that makes them again
	Data    string   `json:"data"`
	Seed    uint64   `json:"seed"`
	Epochs  int      `json:"epochs"`
	Date    string   `json:"date"` // of the end, ISO 8601
	Version string   `json:"version"`
	Device  string   `json:"device"`           // that computed
	Events  []string `json:"events,omitempty"` // out of the ordinary
}

// Card describes one model.
type Card struct {
	Name     string          `json:"name"`
	Aliases  []string        `json:"aliases,omitempty"`
	Title    string          `json:"title"`
	Kind     string          `json:"kind"`     // cnn | transformer
	Training string          `json:"training"` // one of Trainings
	Family   string          `json:"family"`   // a family of package zoo
	Config   json.RawMessage `json:"config,omitempty"`
	Input    Input           `json:"input"`
	Classes  int             `json:"classes"`
	// Parameters is how many numbers were learned, classifier included and running
	// statistics not, as timm counts. 0: not stated.
	Parameters int              `json:"parameters,omitempty"`
	Labels     string           `json:"labels"` // whose class names, such as cifar10
	Stages     map[string]Layer `json:"stages"`
	Weights    Weights          `json:"weights"`
	Licence    string           `json:"licence"`
	Paper      string           `json:"paper,omitempty"`
	Measured   []Measured       `json:"measured,omitempty"`
	Trained    *Trained         `json:"trained,omitempty"`
}

// Trainings are the ways of training that models are grouped by.
var Trainings = []string{"standard", "robust", "self-supervised", "language-image"}

// MaxBytes is the largest card that Parse reads.
const MaxBytes = 1 << 20

var (
	hexDigest = regexp.MustCompile(`^([0-9a-f]{8,64})?$`)
	wholeSum  = regexp.MustCompile(`^[0-9a-f]{64}$`)
	pinnedPkg = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][0-9A-Za-z.]*$`)
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
	case !slices.Contains(Trainings, c.Training):
		return bad("training", c.Training, "one of "+strings.Join(Trainings, ", "))
	case c.Input.Size < 1 || c.Input.Size > 4096:
		return bad("input.size", c.Input.Size, "1 to 4096 pixels")
	case c.Classes < 0 || c.Classes > 1<<20:
		return bad("classes", c.Classes, "0 (no classifier) to 1048576")
	case c.Weights.File == "" || !goodName.MatchString(c.Weights.File):
		return bad("weights.file", c.Weights.File, "a file name without folders")
	case !hexDigest.MatchString(c.Weights.SHA256):
		return bad("weights.sha256", c.Weights.SHA256, "the 64 lower-case hexadecimal digits, the first 8 or more of them, or none")
	case c.Weights.SHA256 == "" && c.Weights.Hub == "" && c.Weights.URL == "":
		return bad("weights.sha256", "", "a sum, since neither hub nor url is given")
	case c.Input.Crop < 0 || c.Input.Crop > 1:
		return bad("input.crop", c.Input.Crop, "a share above 0 and at most 1")
	case !slices.Contains([]string{"", "bicubic", "bilinear"}, c.Input.Filter):
		return bad("input.filter", c.Input.Filter, "bicubic or bilinear")
	case !slices.Contains([]string{"", "rgb", "bgr"}, c.Input.Order):
		return bad("input.order", c.Input.Order, "rgb or bgr")
	}
	for i, k := range c.Weights.Copies {
		field := fmt.Sprintf("weights.copies[%d].", i)
		switch {
		case !goodName.MatchString(k.File):
			return bad(field+"file", k.File, "a file name without folders")
		case !wholeSum.MatchString(k.SHA256):
			return bad(field+"sha256", k.SHA256, "64 lower-case hexadecimal digits")
		case !pinnedPkg.MatchString(k.PyPI):
			return bad(field+"pypi", k.PyPI, "a package as name==version")
		}
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
