package synth

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// NonFiniteError says that a loss or its gradient is NaN or infinite for an image that
// still moves, so that no step can be taken.
type NonFiniteError struct {
	Model, Stage string
	Image        int     // its index: in the batch from Loop.Run, in the set from the engine
	Name         string  // of the image, if it is known
	Step         int     // steps taken before
	Loss         float64 // −Inf if the loss is finite and its gradient is not
}

func (e *NonFiniteError) Error() string {
	what := fmt.Sprintf("the loss is %v", e.Loss)
	if math.IsInf(e.Loss, -1) {
		what = "the gradient of the loss is not finite"
	}
	image := fmt.Sprint(e.Image)
	if e.Name != "" {
		image += " (" + e.Name + ")"
	}
	return fmt.Sprintf("%s: model %s, stage %s, image %s, step %d", what, e.Model, e.Stage, image, e.Step)
}

// marked is the loss [B], and −Inf, which no loss is, where the loss is finite and its
// gradient [B,S,S,3] is not. So the host learns of both from one array.
func marked(loss, gradient *Node) *Node {
	fine := LogicalOr(LogicalAll(IsFinite(gradient), 1, 2, 3), LogicalNot(IsFinite(loss)))
	return Where(fine, loss, MulScalar(OnesLike(loss), math.Inf(-1)))
}

// finite returns a *NonFiniteError if a marked loss of an active image is not finite.
func finite(losses []Losses, active []bool, r metamer.Recipe, stage string) error {
	for _, l := range losses {
		for b, v := range l.Of {
			if v := float64(v); active[b] && (math.IsNaN(v) || math.IsInf(v, 0)) {
				return &NonFiniteError{Model: r.Tapped()[l.Member].Name, Stage: stage, Image: b, Step: l.Step, Loss: v}
			}
		}
	}
	return nil
}
