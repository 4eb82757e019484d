// Package train trains a zoo model's weights, standard or adversarially, and
// measures models clean and under attack.
//
// It runs GoMLX's own loop (ml/train) over the model's page drawn in training (see
// package block). Everything random is drawn from the seed and the number of the
// step, so that a run that was killed goes on from its checkpoint to the bits it
// would have reached (on one backend of one machine). Images stay on the device;
// what a step receives is indices, shifts and a learning rate.
package train

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Options say how a model is trained. The zero value works: SGD with momentum, one
// cycle, crops and flips, no attack.
type Options struct {
	Epochs    int           `json:"epochs"`           // passes over the training images; default 20
	Within    time.Duration `json:"within,omitempty"` // the schedule ends after this time or Epochs, whichever is first; 0: Epochs. What is reached depends on the machine
	Batch     int           `json:"batch"`            // images a step; default 128
	Optimizer string        `json:"optimizer"`        // sgd (default: Nesterov momentum) | adamw
	LR        float64       `json:"lr"`               // largest learning rate; default .1 for sgd, 1e-3 for adamw
	Momentum  float64       `json:"momentum"`         // of sgd, and adamw's beta1; default .9
	Decay     float64       `json:"decay"`            // weight decay of kernels and matrices; default 5e-4 for sgd, .05 for adamw; negative: none
	Clip      float64       `json:"clip"`             // largest L2 norm of the whole gradient, 0: not clipped
	Schedule  string        `json:"schedule"`         // onecycle (default) | cosine | constant
	Warmup    float64       `json:"warmup"`           // share of the steps in which the rate rises; default .3 (onecycle), .05
	Smoothing float64       `json:"smoothing"`        // label smoothing
	Crop      int           `json:"crop"`             // pixels of zeros around an image before a random crop; default an eighth of its side; negative: none
	NoFlip    bool          `json:"no_flip"`          // no mirror images
	Cutout    int           `json:"cutout"`           // side of a square set to grey, 0: none
	Mixup     float64       `json:"mixup"`            // α of mixup's Beta(α,α), 0: none (Zhang et al. 2018, arXiv:1710.09412)
	Average   string        `json:"average"`          // of the weights: "" | ema:DECAY | swa:SHARE (equal weights from that share of the steps on)
	Threat    Threat        `json:"threat"`           // none: standard training
	Method    string        `json:"method"`           // of adversarial training: nfgsm (default) | pgd:STEPS | fgsm
	Precision string        `json:"precision"`        // auto (default: bf16 on a GPU) | f32 | bf16, of the activations
	From      string        `json:"from,omitempty"`   // what weights the training begins with (name and SHA-256), "": random ones
	Seed      uint64        `json:"seed"`
	HeldOut   int           `json:"held_out"` // last images of the training set, kept out to watch accuracy; default 500
	Attacked  int           `json:"attacked"` // held-out images attacked by the watch, with PGD-10; default 128
	Limit     int           `json:"limit"`    // use only the first so many training images, 0: all
}

// Optimizers, Schedules and Precisions name what Options take.
var (
	Optimizers = []string{"sgd", "adamw"}
	Schedules  = []string{"onecycle", "cosine", "constant"}
	Precisions = []string{"auto", "f32", "bf16"}
)

// withDefaults fills zero values for images of the given side and checks all.
func (o Options) withDefaults(side int) (Options, error) {
	def := func(v *float64, d float64) {
		if *v == 0 {
			*v = d
		}
	}
	defInt := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	defInt(&o.Epochs, 20)
	defInt(&o.Batch, 128)
	defInt(&o.HeldOut, 500)
	defInt(&o.Attacked, 128)
	defInt(&o.Crop, side/8)
	if o.Optimizer == "" {
		o.Optimizer = "sgd"
	}
	if o.Schedule == "" {
		o.Schedule = "onecycle"
	}
	if o.Precision == "" {
		o.Precision = "auto"
	}
	sgd := o.Optimizer == "sgd"
	pick := func(a, b float64) float64 {
		if sgd {
			return a
		}
		return b
	}
	def(&o.LR, pick(.1, 1e-3))
	def(&o.Momentum, .9)
	def(&o.Decay, pick(5e-4, .05))
	if o.Schedule == "onecycle" {
		def(&o.Warmup, .3)
	} else {
		def(&o.Warmup, .05)
	}
	if o.Threat.Norm != "" && o.Method == "" {
		o.Method = "nfgsm"
	}
	return o, o.check(side)
}

func (o Options) check(side int) error {
	bad := func(field string, got any, want string) error {
		return fmt.Errorf("train: %s is %v, expected %s", field, got, want)
	}
	for _, f := range []struct {
		field, got string
		known      []string
	}{{"optimizer", o.Optimizer, Optimizers}, {"schedule", o.Schedule, Schedules}, {"precision", o.Precision, Precisions}} {
		if !slices.Contains(f.known, f.got) {
			return fmt.Errorf("train: %w", metamer.Unknown(f.field, f.got, f.known))
		}
	}
	switch {
	case o.Epochs < 1 || o.Epochs > 100000:
		return bad("epochs", o.Epochs, "1 to 100000")
	case o.Within < 0 || o.Within > 0 && strings.HasPrefix(o.Average, "swa"):
		return bad("within", o.Within, "0 or more, and none with an average over a share of the steps (swa)")
	case o.Batch < 2 || o.Batch > 65536:
		return bad("batch", o.Batch, "2 to 65536 images")
	case !(o.LR > 0 && o.LR < 100):
		return bad("lr", o.LR, "above 0 and below 100")
	case !(o.Momentum >= 0 && o.Momentum < 1):
		return bad("momentum", o.Momentum, "0 to below 1")
	case math.IsNaN(o.Decay) || o.Decay > 10:
		return bad("decay", o.Decay, "at most 10 (negative: none)")
	case !(o.Warmup >= 0 && o.Warmup < 1):
		return bad("warmup", o.Warmup, "a share from 0 to below 1")
	case !(o.Smoothing >= 0 && o.Smoothing < 1):
		return bad("smoothing", o.Smoothing, "0 to below 1")
	case o.Crop >= side:
		return bad("crop", o.Crop, fmt.Sprintf("below the images' %d pixels (negative: none)", side))
	case o.Cutout < 0 || o.Cutout > side:
		return bad("cutout", o.Cutout, fmt.Sprintf("0 to the images' %d pixels", side))
	case !(o.Mixup >= 0 && o.Mixup <= 100):
		return bad("mixup", o.Mixup, "0 to 100")
	case o.HeldOut < 1 || o.Attacked < 1 || o.Attacked > o.HeldOut:
		return bad("attacked", o.Attacked, fmt.Sprintf("1 to the %d images held out", o.HeldOut))
	case o.Limit < 0 || !(o.Clip >= 0):
		return bad("limit/clip", fmt.Sprint(o.Limit, " and ", o.Clip), "0 or more")
	}
	if _, err := parseAverage(o.Average); err != nil {
		return err
	}
	if o.Threat.Norm == "" {
		if o.Method != "" {
			return bad("method", o.Method, "none without a threat (robust)")
		}
		return nil
	}
	if err := o.Threat.check(); err != nil {
		return err
	}
	_, err := parseMethod(o.Method)
	return err
}
