package metamer

// Direction says which values of an image metric are better.
type Direction string

// The directions. Neither is for metrics that describe and do not rank: natural images
// have middling values, or the metric is a plain property.
const (
	Higher  Direction = "higher"
	Lower   Direction = "lower"
	Neither Direction = "neither"
)

// Arrow returns ↑, ↓ or "", as tables and figures print it.
func (d Direction) Arrow() string {
	switch d {
	case Higher:
		return "↑"
	case Lower:
		return "↓"
	}
	return ""
}
