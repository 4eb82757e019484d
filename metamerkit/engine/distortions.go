package engine

import (
	"context"
	"fmt"
	"math"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/distortion"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/synth"
)

// directionsAtOnce is how many directions a call takes: a search has two.
const directionsAtOnce = 2

// keptDirections bounds the directions that a search keeps, and the products with them.
const keptDirections = 80

// Distort implements api.Engine. Images are taken one after the other; those found are
// returned with the error of the one that was not.
func (e *Engine) Distort(ctx context.Context, q api.Distorting) (found []api.Distortions, err error) {
	q = q.WithDefaults()
	if err := q.Check(); err != nil {
		return nil, err
	}
	if q.Images == nil || q.Images.Len() == 0 {
		return nil, fmt.Errorf("engine: no images")
	}
	var set []member
	for _, name := range q.Models {
		m, err := e.member(name, q.Stage, q.Images.Size)
		if err != nil {
			return nil, err
		}
		set = append(set, m)
	}
	for i := range q.Images.Len() {
		d, err := e.distort(ctx, q, set, i)
		if err == nil && q.Found != nil {
			err = q.Found(d)
		}
		if err != nil {
			return found, err
		}
		found = append(found, d)
	}
	return found, nil
}

// member is a model whose sensitivity is compiled.
type member struct {
	synth.TappedModel
	*synth.Sensitivity
	activations int
}

func (e *Engine) member(name, stage string, size int) (m member, err error) {
	if m.TappedModel, err = e.tappedModel(name, stage, ""); err != nil {
		return m, err
	}
	// A product keeps about what two gradients do.
	need := metamer.Recipe{Images: metamer.ImageRef{Size: size}, Batch: 2 * directionsAtOnce}
	if err := e.enoughMemory([]synth.TappedModel{m.TappedModel}, need); err != nil {
		return m, err
	}
	_, shapes, err := m.Net.Reads(m.Card.Input, m.Layer)
	if err != nil {
		return m, fmt.Errorf("engine: model %s: %w", m.Card.Name, err)
	}
	m.activations = shapes[0].Size()
	m.Sensitivity, err = compile(e, "sensitivity", m.Net.Key, digestOf(m.Layer, size), func() (*synth.Sensitivity, error) {
		return synth.NewSensitivity(e.Backend.Compute, m.TappedModel, synth.Config{Batch: directionsAtOnce, Size: size})
	})
	return m, err
}

// at is a member's products with JᵀJ/‖a‖²/largest² at an image.
func (e *Engine) at(m member, image []float32, largest float64) distortion.Product {
	return func(ctx context.Context, directions [][]float64) (out [][]float64, err error) {
		err = e.along(ctx, m, image, directions, func(product []float32, _, norm float64) {
			v := make([]float64, len(product))
			for i, p := range product {
				v[i] = float64(p) / norm / (largest * largest)
			}
			out = append(out, v)
		})
		return out, err
	}
}

// along calls each with JᵀJv, ‖Jv‖² and ‖a‖² of each direction v.
func (e *Engine) along(ctx context.Context, m member, image []float32, directions [][]float64, each func(product []float32, square, norm float64)) error {
	per := len(image)
	for from := 0; from < len(directions); from += directionsAtOnce {
		if err := ctx.Err(); err != nil {
			return err
		}
		images, vs := make([]float32, 0, directionsAtOnce*per), make([]float32, directionsAtOnce*per)
		part := directions[from:min(from+directionsAtOnce, len(directions))]
		for k := range directionsAtOnce {
			images = append(images, image...)
			if k < len(part) {
				for i, x := range part[k] {
					vs[k*per+i] = float32(x)
				}
			}
		}
		err := e.device.do(ctx, func() error {
			products, squares, norms, err := m.Along(images, vs)
			for k := range part {
				if err != nil {
					break
				}
				if !(norms[k] > 0) || math.IsInf(float64(squares[k]), 0) || math.IsNaN(float64(squares[k])) {
					return fmt.Errorf("engine: %s at %s has activations of length %g and a change of length %g: expected finite numbers above 0", m.Card.Name, m.Layer, math.Sqrt(float64(norms[k])), math.Sqrt(float64(squares[k])))
				}
				each(products[k*per:(k+1)*per], float64(squares[k]), float64(norms[k]))
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// distort takes one image.
func (e *Engine) distort(ctx context.Context, q api.Distorting, set []member, i int) (d api.Distortions, err error) {
	image := q.Images.Image(i)
	d.Image = q.Images.Names[i]
	o := distortion.Options{Dimensions: len(image), Products: q.Products, Tolerance: q.Tolerance, Seed: q.Seed, Basis: keptDirections}
	search := func(what string) distortion.Options {
		o := o
		o.Step = func(products int) {
			if q.Progress != nil {
				q.Progress(i, what, products)
			}
		}
		return o
	}
	var products []distortion.Product
	var floors []float64
	for _, m := range set {
		own, _, _, err := distortion.Extremes(ctx, []distortion.Product{e.at(m, image, 1)}, distortion.Most, search("what "+m.Card.Name+" notices most"))
		if err != nil {
			return d, err
		}
		of := api.MemberSensitivity{Model: m.Card.Name, Layer: m.Layer, Activations: m.activations, Residual: own.Residual}
		if err := e.along(ctx, m, image, [][]float64{own.Vector}, func(_ []float32, square, norm float64) {
			of.Largest, of.Norm = math.Sqrt(square/norm), math.Sqrt(norm)
		}); err != nil {
			return d, err
		}
		d.Members = append(d.Members, of)
		if of.Largest == 0 {
			return d, fmt.Errorf("engine: %s at %s notices no change of image %s: expected a layer that depends on the pixels", m.Card.Name, m.Layer, d.Image)
		}
		products, floors = append(products, e.at(m, image, of.Largest)), append(floors, q.Floor)
	}
	most, least, used, err := distortion.Extremes(ctx, products, distortion.Both, search("most and least noticed"))
	if err != nil {
		return d, err
	}
	for _, x := range []struct {
		from distortion.Direction
		to   *api.Distortion
	}{{most, &d.Most}, {least, &d.Least}} {
		if *x.to, err = e.measure(ctx, set, d.Members, image, x.from.Vector); err != nil {
			return d, err
		}
		x.to.Residual, x.to.Converged, x.to.Products = x.from.Residual, x.from.Residual <= q.Tolerance, used
	}
	if len(set) < 2 {
		return d, nil
	}
	pair, used, err := distortion.Separate(ctx, products, floors, [][]float64{most.Vector, least.Vector}, search("pair that separates the members"))
	if err != nil {
		return d, err
	}
	d.Pair, err = e.pair(ctx, set, d.Members, image, q.Floor, pair)
	if err != nil {
		return d, err
	}
	d.Pair.Converged = pair.Gain <= q.Tolerance
	d.Pair.First.Products, d.Pair.Second.Products = used, used
	return d, nil
}

// measure is a direction with every member's sensitivity to it.
func (e *Engine) measure(ctx context.Context, set []member, of []api.MemberSensitivity, image []float32, v []float64) (d api.Distortion, err error) {
	for _, x := range v {
		d.Direction = append(d.Direction, float32(x))
	}
	for k, m := range set {
		if err := e.along(ctx, m, image, [][]float64{v}, func(_ []float32, square, norm float64) {
			d.Sensitivities = append(d.Sensitivities, math.Sqrt(square/norm))
			d.Eigenvalue += square / norm / (of[k].Largest * of[k].Largest) / float64(len(set))
		}); err != nil {
			return d, err
		}
	}
	return d, nil
}

// pair measures both directions.
func (e *Engine) pair(ctx context.Context, set []member, of []api.MemberSensitivity, image []float32, floor float64, found distortion.Pair) (p *api.DistortionPair, err error) {
	p = &api.DistortionPair{Gain: found.Gain, Spread: math.Sqrt(found.Spread)}
	if p.First, err = e.measure(ctx, set, of, image, found.First); err != nil {
		return nil, err
	}
	if p.Second, err = e.measure(ctx, set, of, image, found.Second); err != nil {
		return nil, err
	}
	for k := range set {
		a, b := p.First.Sensitivities[k]/of[k].Largest, p.Second.Sensitivities[k]/of[k].Largest
		p.Ratios = append(p.Ratios, math.Sqrt((a*a+floor)/(b*b+floor)))
	}
	return p, nil
}
