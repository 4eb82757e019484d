package api

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Distorting asks for the directions of pixels that a model set notices most and least at
// each image, and, for two members and more, for the pair of directions that separates the
// members best (docs/distortions.md).
type Distorting struct {
	Models []string
	Stage  string // or a layer
	Images *metamer.ImageSet
	Named  metamer.ImageRef // over a connection, in place of Images

	Products  int     // of each member with JᵀJ, at most, in each search; default DefaultProducts
	Tolerance float64 // of residuals and gains, default DefaultTolerance
	Floor     float64 // of a member's squared sensitivities in the pair, by its largest; default DefaultFloor
	Seed      uint64  // of the first directions

	// Progress, if set, is told the image under way, what is searched for, and the products so far.
	Progress func(image int, search string, products int)
	// Found, if set, is given the distortions of each image when they are there.
	Found func(Distortions) error
}

// The defaults of Distorting.
const (
	DefaultProducts  = 400
	DefaultTolerance = 1e-6
	DefaultFloor     = 1e-4
)

// WithDefaults returns q with its zero values filled in.
func (q Distorting) WithDefaults() Distorting {
	if q.Products == 0 {
		q.Products = DefaultProducts
	}
	if q.Tolerance == 0 {
		q.Tolerance = DefaultTolerance
	}
	if q.Floor == 0 {
		q.Floor = DefaultFloor
	}
	return q
}

// Check is an error where a setting is out of range.
func (q Distorting) Check() error {
	switch {
	case len(q.Models) == 0:
		return errors.New("distortions: no model is named, expected one or more")
	case q.Stage == "":
		return errors.New("distortions: no stage is named, expected early, middle, late or a layer")
	case q.Products < 4:
		return fmt.Errorf("distortions: products is %d, expected at least 4", q.Products)
	case !(q.Tolerance > 0 && q.Tolerance < 1):
		return fmt.Errorf("distortions: tolerance is %g, expected a number between 0 and 1", q.Tolerance)
	case !(q.Floor >= 1e-6 && q.Floor < 1):
		return fmt.Errorf("distortions: floor is %g, expected a number from 1e-6, which float32 resolves, to 1", q.Floor)
	}
	return nil
}

// AtMost is the largest number of products with JᵀJ, over all members, that one image takes: in
// a search for what each member notices most, one for the set, and, for two members and more,
// one for the pair; and one for each member and each direction that is measured.
func (q Distorting) AtMost() int {
	searches, measured := 2, 3
	if len(q.Models) > 1 {
		searches, measured = 3, 5
	}
	return len(q.Models) * (searches*(q.Products+1) + measured) // a search that has one left takes two
}

// Distortions are those of one image.
type Distortions struct {
	Image   string
	Members []MemberSensitivity
	Most    Distortion // the eigenvector of the set with the largest eigenvalue
	Least   Distortion // and with the smallest
	// Pair separates the members best; nil for a set of one.
	Pair *DistortionPair `json:",omitempty"`
}

// MemberSensitivity is what one member notices at all.
type MemberSensitivity struct {
	Model, Layer string
	Activations  int     // values of the layer; with fewer than pixels × 3, directions are left of which it notices nothing
	Norm         float64 // ‖a‖ of the activations of the image
	Largest      float64 // its sensitivity to the direction that it notices most
	Residual     float64 // of that direction
}

// Distortion is a direction of pixels, of length 1.
type Distortion struct {
	Direction Floats `json:"-"` // [S,S,3]
	// Eigenvalue is v·F·v, for F the mean of the members' JᵀJ, each divided by its largest
	// eigenvalue: the mean of the squared sensitivities, each by the member's largest. It
	// is 1 where every member notices the direction most.
	Eigenvalue float64
	// Residual is ‖Fv − λv‖/λmax, for eigenvectors: an eigenvalue of F is this near to
	// Eigenvalue, by the largest. Converged says whether it is below the tolerance.
	Residual  float64
	Converged bool
	Products  int // that the search took of each member
	// Sensitivities are ‖Jv‖/‖a‖ of each member: the relative change of its activations
	// for a change of the pixels (in [0,1]) of length 1, as far as it is linear.
	Sensitivities []float64
}

// DistortionPair is two directions whose sensitivities differ most between members.
type DistortionPair struct {
	First, Second Distortion // their Residual is not set
	// Ratios are each member's sensitivity to First divided by that to Second, with the floor.
	Ratios []float64
	// Spread is the standard deviation of the logarithms of the ratios.
	Spread float64
	// Gain is by how much of itself the variance rose in the last ten products.
	Gain float64
	// Converged says whether Gain is below the tolerance.
	Converged bool
}

// Summary lists sensitivities, a line a direction.
func (d Distortions) Summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", d.Image)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "  ‖Jv‖/‖a‖ for\t")
	for _, m := range d.Members {
		fmt.Fprintf(w, "%s\t", m.Model)
	}
	fmt.Fprintln(w)
	line := func(what string, of Distortion, residual string) {
		fmt.Fprintf(w, "  %s\t", what)
		for _, s := range of.Sensitivities {
			fmt.Fprintf(w, "%.3g\t", s)
		}
		fmt.Fprintf(w, "%s\n", residual)
	}
	residual := func(of Distortion) string {
		if !of.Converged {
			return fmt.Sprintf("residual %.1g after %d products: not converged", of.Residual, of.Products)
		}
		return fmt.Sprintf("residual %.1g", of.Residual)
	}
	line("most noticed", d.Most, residual(d.Most))
	line("least noticed", d.Least, residual(d.Least))
	if p := d.Pair; p != nil {
		end := fmt.Sprintf("spread of log ratios %.3g", p.Spread)
		if !p.Converged {
			end += fmt.Sprintf(", still rising after %d products", p.First.Products)
		}
		line("pair, first", p.First, end)
		line("pair, second", p.Second, "")
	}
	w.Flush()
	return strings.TrimRight(b.String(), "\n")
}
