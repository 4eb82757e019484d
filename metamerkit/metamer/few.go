package metamer

import (
	"fmt"
	"strings"
)

// MinImages is the smallest number of images for which JSD, CKA and RSA are given.
// They describe a set by the similarities of its pairs, and say little of few pairs:
// two unrelated sets of images whose activations have the same distribution have on
// average a JSD (20 bins) of .73 bits with 4 images, .29 with 8, .07 with 16 and .004
// with 64; linear CKA is then .75, .53, .35 and .11 where it should be 0, and the
// standard deviation of RSA is .41, .19, .09 and .02.
const MinImages = 16

// OverPairs reports whether a measure describes a set by its pairs of images: JSD, CKA
// and RSA with their variants.
func OverPairs(measure string) bool {
	name, _, _ := strings.Cut(measure, "/")
	name, _, _ = strings.Cut(name, "-")
	return name == "jsd" || name == "cka" || name == "rsa"
}

// TooFew says why a measure over pairs is withheld for n images where at least so many
// are expected, "" if it is not.
func TooFew(n, expected int) string {
	if n >= expected {
		return ""
	}
	return fmt.Sprintf("measures over pairs of images need at least %d images; this set has %d", expected, n)
}

// Withheld says why the value of a row is not to be shown or compared, "" if it is: a
// measure over pairs of fewer than MinImages images, as older versions gave.
func (r Row) Withheld() string {
	if r.Count > 0 && r.Image < 0 && OverPairs(r.Measure) {
		return TooFew(r.Count, MinImages)
	}
	return ""
}
