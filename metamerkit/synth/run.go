package synth

import (
	"context"
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Target returns the activations of the reference images [B,S,S,3], on the device.
func (u *Unit) Target(images *tensors.Tensor) (t *tensors.Tensor, err error) {
	err = exceptions.TryCatch[error](func() { t = u.target.Run(u.inputs(images)...)[0] })
	if err != nil {
		return nil, fmt.Errorf("synth: activations of %s: %w", u.Name, err)
	}
	return t, nil
}

// Steps takes len(coefs) steps, at most chunkSteps, and returns the losses before
// each of them, [len(coefs)][B]. State's tensors are donated: it holds new ones
// afterwards. Cancelling ctx ends it between steps (in a loop, before the call) with
// ctx's error and the losses of those steps that were taken.
func (u *Unit) Steps(ctx context.Context, st *State, active []bool, coefs []Coefficients, target *tensors.Tensor) (losses [][]float32, err error) {
	if len(coefs) == 0 || len(coefs) > chunkSteps {
		panic(fmt.Sprintf("synth: Steps of %d, expected 1 to %d", len(coefs), chunkSteps))
	}
	err = exceptions.TryCatch[error](func() {
		if u.cfg.Loops && ctx.Err() == nil {
			losses = u.loop(st, active, coefs, target)
			return
		}
		for i := 0; i < len(coefs) && ctx.Err() == nil; i++ {
			losses = append(losses, u.single(st, active, coefs[i], target))
		}
	})
	if err != nil {
		return nil, fmt.Errorf("synth: a step of %s: %w", u.Name, err)
	}
	if len(losses) < len(coefs) {
		return losses, ctx.Err()
	}
	return losses, nil
}

func (u *Unit) loop(st *State, active []bool, coefs []Coefficients, target *tensors.Tensor) [][]float32 {
	flat := make([]float32, chunkSteps*numCoefficients)
	for i, c := range coefs {
		copy(flat[i*numCoefficients:], c[:])
	}
	in := []any{int32(0), int32(len(coefs)), tensors.FromFlatDataAndDimensions(make([]float32, chunkSteps*u.cfg.Batch), chunkSteps, u.cfg.Batch)}
	in = append(in, u.donate(st)...)
	in = append(in, active, tensors.FromFlatDataAndDimensions(flat, chunkSteps, numCoefficients), target)
	out := u.steps.Run(u.inputs(in...)...)
	st.Images, st.Slots = out[1], out[2:]
	trace := tensors.MustCopyFlatData[float32](out[0])
	out[0].MustFinalizeAll()
	losses := make([][]float32, len(coefs))
	for i := range losses {
		losses[i] = trace[i*u.cfg.Batch : (i+1)*u.cfg.Batch]
	}
	return losses
}

func (u *Unit) single(st *State, active []bool, coef Coefficients, target *tensors.Tensor) []float32 {
	in := append(u.donate(st), active, coef[:], target)
	out := u.steps.Run(u.inputs(in...)...)
	st.Images, st.Slots = out[1], out[2:]
	loss := tensors.MustCopyFlatData[float32](out[0])
	out[0].MustFinalizeAll()
	return loss
}
