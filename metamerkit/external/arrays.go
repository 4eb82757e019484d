package external

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

// slack is how far outside [0,1] pixels may lie: plenoptic's range is a penalty, not
// a bound. They are clamped, and that is noted.
const slack = 0.1

// arrays reads a file of arrays; keys are the names that the wanted one may have.
func arrays(path, layout, what string, keys []string, file map[string]*weights.Tensor) (stack, []string, error) {
	name := ""
	if len(file) > 1 || file[""] == nil {
		var hits []string
		for _, k := range keys {
			if file[k] != nil {
				hits = append(hits, k)
			}
		}
		switch {
		case len(hits) > 0:
			name = hits[0]
		case len(file) == 1:
			name = slices.Collect(maps.Keys(file))[0]
		default:
			return stack{}, nil, fmt.Errorf("external: %s has the arrays %s; expected one named %s for the %s", path, strings.Join(slices.Sorted(maps.Keys(file)), ", "), strings.Join(keys, ", "), what)
		}
	}
	s, notes, err := pixels(path, layout, file[name])
	if name != "" {
		for i, n := range notes {
			notes[i] = what + " (" + name + "): " + n
		}
	}
	return s, notes, err
}

// pixels turns an array into images.
func pixels(path, layout string, t *weights.Tensor) (s stack, notes []string, err error) {
	bad := func(format string, args ...any) error {
		name := "" // of a .npy file
		if t.Name != "" {
			name = fmt.Sprintf(" %q", t.Name)
		}
		return fmt.Errorf("external: %s: the array%s of shape %v %s", path, name, t.Shape, fmt.Sprintf(format, args...))
	}
	shape := t.Shape
	if len(shape) == 3 {
		shape = append([]int{1}, shape...)
	}
	if len(shape) != 4 {
		return s, nil, bad("is no stack of images: expected [N,H,W,C] or [N,C,H,W]")
	}
	colour := func(c int) bool { return c == 3 || c == 1 }
	last, second := colour(shape[3]) && shape[1] == shape[2], colour(shape[1]) && shape[2] == shape[3]
	switch {
	case layout == "nhwc" && last, layout == "nchw" && second:
	case layout != "":
		return s, nil, bad("is not of the layout %s with square images and 3 channels (or 1)", layout)
	case last && second:
		return s, nil, bad("may be NHWC or NCHW: say which (--layout)")
	case last:
		layout = "nhwc"
	case second:
		layout = "nchw"
	default:
		return s, nil, bad("has no axis of 3 channels (or 1) and two equal ones: expected square images as NHWC or NCHW")
	}
	notes = append(notes, fmt.Sprintf("%v read as %s", t.Shape, strings.ToUpper(layout)))
	n, size, channels := shape[0], shape[2], shape[3]
	if layout == "nchw" {
		channels = shape[1]
	}
	if n == 0 || size == 0 {
		return s, nil, bad("is empty")
	}
	values := t.Float
	if values == nil && t.Int == nil {
		return s, nil, bad("is of type %s, expected floats or integers", t.DType)
	}
	if values == nil {
		values = make([]float32, len(t.Int))
		for i, v := range t.Int {
			if v < 0 || v > 255 {
				return s, nil, bad("holds the integer %d, expected 0 to 255", v)
			}
			values[i] = float32(v) / 255
		}
		notes = append(notes, "integers divided by 255")
	}
	s = stack{path: path, n: n, size: size, pixels: make([]float32, n*size*size*3)}
	outside, most := 0, 0.0
	for i := range n {
		for y := range size {
			for x := range size {
				for c := range 3 {
					k := min(c, channels-1)
					at := ((i*size+y)*size+x)*channels + k
					if layout == "nchw" {
						at = ((i*channels+k)*size+y)*size + x
					}
					v := float64(values[at])
					if d := max(-v, v-1); d > 0 || d != d {
						if !(d <= slack) {
							return s, nil, bad("holds %v at image %d, row %d, column %d: expected pixels in [0,1] (not normalised, not 0 to 255)", values[at], i, y, x)
						}
						outside, most = outside+1, max(most, d)
						v = min(max(v, 0), 1)
					}
					s.pixels[((i*size+y)*size+x)*3+c] = float32(v)
				}
			}
		}
	}
	if channels == 1 {
		notes = append(notes, "one channel repeated as red, green and blue")
	}
	if outside > 0 {
		notes = append(notes, fmt.Sprintf("%d values beyond [0,1] clamped, the farthest by %.2g", outside, math.Abs(most)))
	}
	return s, notes, nil
}
