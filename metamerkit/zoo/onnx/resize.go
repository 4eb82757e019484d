package onnx

import (
	"math"
	"slices"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/gomlx/support/xslices"
)

func init() {
	register(10, resize, nil, "Resize")
	operators["Upsample"] = operator{since: 7, until: 9, run: func(c *call) []*value { return []*value{resize(c)} }}
}

// scaling says how Resize finds the elements of a result.
type scaling struct {
	mode, coordinates, nearest string
	cubic                      float64
	antialias, excludeOutside  bool
	extrapolation              float64
}

// resize multiplies each axis by a matrix [to,from] of weights.
func resize(c *call) *value {
	s := scaling{mode: c.text("mode", "nearest"), coordinates: "half_pixel", nearest: "round_prefer_floor", cubic: -0.75}
	from := c.dims(0)
	var axes []int
	if c.opset < 11 {
		s.coordinates, s.nearest = "asymmetric", "floor"
	} else {
		s.coordinates, s.nearest = c.text("coordinate_transformation_mode", s.coordinates), c.text("nearest_mode", s.nearest)
		s.cubic, s.excludeOutside = c.float("cubic_coeff_a", s.cubic), c.bool("exclude_outside", false)
		s.extrapolation = c.float("extrapolation_value", 0)
		if c.has(1) { // the region of tf_crop_and_resize
			c.used[1] = true
		}
	}
	if c.opset >= 18 {
		s.antialias = c.bool("antialias", false)
		if l := c.list("axes"); l != nil {
			axes = c.axes("axes", l, len(from))
		}
	}
	if axes == nil {
		axes = xslices.Iota(0, len(from))
	}
	scales, to := c.scales(axes)
	switch {
	case !slices.Contains([]string{"nearest", "linear", "cubic"}, s.mode):
		c.refuse("mode", "", "it is %q, expected nearest, linear or cubic", s.mode)
	case !c.in[0].kind.IsFloat():
		c.refuse("", "", "its input is %v, expected a floating type", c.in[0].kind)
	case s.antialias && s.mode == "nearest":
		c.refuse("antialias", "", "it is 1 with the mode nearest")
	}
	var work []int
	for i, a := range axes {
		if to[i] < 1 || from[a] < 1 {
			c.refuse("", "", "axis %d goes from %d to %d elements", a, from[a], to[i])
		}
		// With the scale 1 every mode leaves the axis as it is.
		if to[i] != from[a] || scales[i] != 1 {
			work = append(work, i)
		}
	}
	var which []int
	for _, i := range work {
		which = append(which, axes[i])
	}
	l := c.along(0, which...)
	x := l.x
	for _, i := range work {
		c.spend(sizeOf([]int{to[i], from[axes[i]]}))
		m := newTensor(x.DType(), to[i], from[axes[i]])
		for j := range to[i] {
			c.weights(s, m, j, scales[i], to[i])
		}
		x = byMatrix(x, l.axis(axes[i]), m)
	}
	return l.wrap(x)
}

// scales reads how large the axes become and in which ratio.
func (c *call) scales(axes []int) (scales []float64, to []int) {
	from := c.dims(0)
	var given *tensor
	switch {
	case c.opset < 9 && c.n.OpType == "Upsample":
		a := c.attr("scales", protos.AttributeProto_FLOATS)
		if a == nil {
			c.refuse("scales", "", "it is missing")
		}
		given = &tensor{single: a.Floats}
	case c.opset < 11:
		given = c.host(1)
	case c.has(2) && c.host(2).size() > 0:
		given = c.host(2)
	}
	policy := "stretch"
	if c.opset >= 18 {
		policy = c.text("keep_aspect_ratio_policy", policy)
	}
	if given != nil {
		if c.has(3) && c.host(3).size() > 0 {
			c.refuse("sizes", "", "both scales and sizes are given")
		}
		if given.size() != len(axes) {
			c.refuse("scales", "", "%d scales for %d axes", given.size(), len(axes))
		}
		for i, a := range axes {
			s := given.float(i)
			n := math.Floor(float64(from[a]) * s)
			if s < 1 && c.n.OpType == "Upsample" {
				c.refuse("scales", hintOpset, "a scale is %g, expected 1 or more", s)
			}
			if !(s > 0 && n <= maxElements) {
				c.refuse("scales", "", "a scale is %g", s)
			}
			if float64(from[a])*s-n > 1e-4 && c.attrs["coordinate_transformation_mode"] != nil && string(c.attrs["coordinate_transformation_mode"].S) == "align_corners" {
				c.refuse("scales", "export with sizes in place of scales", "%d elements times %g is no whole number, where implementations of align_corners differ", from[a], s)
			}
			scales, to = append(scales, s), append(to, int(n))
		}
		return scales, to
	}
	if to = slices.Clone(c.ints(3)); len(to) != len(axes) {
		c.refuse("sizes", "", "%d sizes for %d axes", len(to), len(axes))
	}
	for i, a := range axes {
		if to[i] < 1 || to[i] > maxElements || from[a] < 1 {
			c.refuse("sizes", "", "they are %v for the shape %v", to, from)
		}
		scales = append(scales, float64(float32(to[i])/float32(from[a])))
	}
	if policy == "stretch" {
		return scales, to
	}
	all := slices.Min(scales)
	switch policy {
	case "not_smaller":
		all = slices.Max(scales)
	case "not_larger":
	default:
		c.refuse("keep_aspect_ratio_policy", "", "it is %q, expected stretch, not_larger or not_smaller", policy)
	}
	for i, a := range axes {
		scales[i], to[i] = all, int(math.Floor(all*float64(from[a])+0.5))
	}
	return scales, to
}

// weights fills row j of a matrix [to,from] for an axis: which elements make element j.
func (c *call) weights(s scaling, m *tensor, j int, wide float64, count int) {
	from := m.dims[1]
	// In float32, as other implementations have it: where elements lie exactly between
	// others, rounding decides.
	n, x, scale, to := float32(from), float32(j), float32(wide), float32(count)
	var at float32 // the position in the input
	switch s.coordinates {
	case "half_pixel":
		at = (x+0.5)/scale - 0.5
	case "half_pixel_symmetric":
		at = n/2*(1-to/(n*scale)) + (x+0.5)/scale - 0.5
	case "pytorch_half_pixel":
		if at = (x+0.5)/scale - 0.5; to <= 1 {
			at = 0
		}
	case "asymmetric":
		at = x / scale
	case "align_corners":
		if to > 1 {
			at = x * (n - 1) / (to - 1)
		}
	default:
		c.refuse("coordinate_transformation_mode", "", "it is %q, expected half_pixel, half_pixel_symmetric, pytorch_half_pixel, asymmetric or align_corners", s.coordinates)
	}
	place := float64(at)
	if s.mode == "nearest" {
		picked := c.nearest(s.nearest, place)
		if s.coordinates == "half_pixel_symmetric" && c.nearest(s.nearest, place-1e-4) != c.nearest(s.nearest, place+1e-4) {
			c.refuse("coordinate_transformation_mode", "", "element %d lies between two others, where implementations of half_pixel_symmetric differ", j)
		}
		if c.opset < 11 && wide < 1 && place != math.Trunc(place) {
			c.refuse("mode", "export with opset_version=11 or later", "before opset 11 implementations of nearest differ where an image is made smaller by no whole number")
		}
		m.setFloat(j*from+min(max(picked, 0), from-1), 1)
		return
	}
	width := 1.0 // of the filter's elements, for antialiasing
	if s.antialias && scale < 1 {
		width = 1 / wide
	}
	reach := width
	if s.mode == "cubic" {
		reach *= 2
	}
	// Elements outside are those at the edge again, or are left out.
	first, last := int(math.Floor(place-reach)), int(math.Ceil(place+reach))
	row, sum := make([]float64, from), 0.0
	for i := first; i <= last; i++ {
		w := filter(s, (float64(i)-place)/width)
		if (i < 0 || i >= from) && s.excludeOutside {
			continue
		}
		row[min(max(i, 0), from-1)] += w
		sum += w
	}
	if sum == 0 {
		c.refuse("exclude_outside", "", "nothing is left inside")
	}
	for i, w := range row {
		m.setFloat(j*from+i, w/sum)
	}
}

// filter is the weight at a distance.
func filter(s scaling, t float64) float64 {
	t = math.Abs(t)
	if s.mode == "linear" {
		return max(1-t, 0)
	}
	a := s.cubic
	switch {
	case t <= 1:
		return ((a+2)*t-(a+3))*t*t + 1
	case t < 2:
		return ((a*t-5*a)*t+8*a)*t - 4*a
	}
	return 0
}

func (c *call) nearest(mode string, at float64) int {
	switch mode {
	case "round_prefer_floor":
		return int(math.Ceil(at - 0.5))
	case "round_prefer_ceil":
		return int(math.Floor(at + 0.5))
	case "floor":
		return int(math.Floor(at))
	case "ceil":
		return int(math.Ceil(at))
	}
	c.refuse("nearest_mode", "", "it is %q, expected round_prefer_floor, round_prefer_ceil, floor or ceil", mode)
	return 0
}
