package train

import (
	"context"
	"fmt"
)

// watch measures the held-out images at the end of an epoch and looks for
// catastrophic overfitting.
func (j *job) watch(ctx context.Context) error {
	n := float64(max(j.state.Counted, 1))
	epoch := j.state.Step / j.perEpoch()
	p := Point{Step: j.state.Step, Epoch: epoch, Rate: j.o.rate(j.place(j.state.Step-1), j.steps()), Loss: j.state.Loss / n, Accuracy: j.state.Accuracy / n, Attacked: -1, Method: j.state.Method}
	j.state.Loss, j.state.Accuracy, j.state.Counted = 0, 0, 0
	w, err := j.weights(true)
	if err != nil {
		return err
	}
	if p.HeldOut, err = j.eval.Accuracy(ctx, w, j.held, Attack{}, nil); err != nil {
		return err
	}
	if j.o.Threat.Norm != "" && j.o.Threat.Epsilon > 0 {
		if w, err = j.weights(false); err != nil {
			return err
		}
		a := Attack{Threat: j.o.Threat, Steps: 10, Seed: j.o.Seed}
		if p.Attacked, err = j.eval.Accuracy(ctx, w, j.held.Slice(0, j.o.Attacked), a, nil); err != nil {
			return err
		}
	}
	best := 0.0
	for _, q := range j.state.Points {
		if q.Method == j.state.Method {
			best = max(best, q.Attacked)
		}
	}
	j.state.Points = append(j.state.Points, p)
	if m, err := parseMethod(j.state.Method); j.state.Method == "" || err != nil || m.steps > 1 || !collapsed(best, p.Attacked, j.Card.Classes) {
		return nil
	}
	e := &CollapseError{epoch, best, p.Attacked}
	if !j.Fallback {
		return e
	}
	event := fmt.Sprintf("epoch %d: catastrophic overfitting, accuracy under PGD-10 on held-out images fell from %.1f to %.1f %%; trained with pgd:3 from here on", epoch, 100*best, 100*p.Attacked)
	j.state.Events = append(j.state.Events, event)
	j.state.Method = "pgd:3"
	j.Warn(event)
	return nil
}

// collapsed says whether accuracy under a multi-step attack fell to less than half
// of the best so far. Up to one and a half times chance there is nothing to lose:
// a model that always gives one class is that robust.
func collapsed(best, now float64, classes int) bool {
	return best > 1.5/float64(classes) && now < best/2
}
