package metamer

import "fmt"

const (
	// DefaultNull is the null set of a recipe that names none: the first 64 of the
	// photographs that the program carries, at the size of the run's images. They have
	// 2016 pairs.
	DefaultNull = "photos:64"
	// NoNull in place of a null set leaves a run's images untested.
	NoNull = "none"
	// minNullPairs is the smallest null distribution that anything is tested against:
	// 46 images have 1035 pairs.
	minNullPairs = 1000
	// MaxNullImages is how many images of a null set are compared. They have 998,991
	// pairs; of a larger set as many are taken at equal distances.
	MaxNullImages = 1414
)

// NullRef names a null set and pins its pixels. The match statistics of all pairs of its
// images are the null distribution that a metamer is tested against. It holds none of a
// run's references unless the user puts them there, so that the verdict of an image does
// not depend on the others of its run.
type NullRef struct {
	Name   string `json:"name"`             // such as photos:64, or none
	Count  int    `json:"count,omitempty"`  // images that are compared: those that differ, at most MaxNullImages
	SHA256 string `json:"sha256,omitempty"` // of these, at the size of the run's images
	Pairs  int    `json:"pairs,omitempty"`  // Count·(Count−1)/2
}

// String is such as "2016 pairs of photos:64".
func (n NullRef) String() string { return Null{Set: n.Name, Pairs: n.Pairs}.Of() }

// Untested says why nothing can be tested against the null set, "" if it can.
func (n NullRef) Untested() string { return Null{Set: n.Name, Pairs: n.Pairs}.Untested() }

// NullOf describes the null distribution of a recipe's runs in one phrase, such as "2016
// pairs of photos:64".
func (r Recipe) NullOf() string {
	switch {
	case r.NullPairs > 0:
		return fmt.Sprintf("at most %s of the run's own references", pairs(r.NullPairs, "random "))
	case r.Null.Name == "": // of metamers made elsewhere
		return "not stated"
	}
	return r.Null.String()
}

// Null summarises the null distribution of one member: the largest value that each match
// statistic reaches over the pairs. A metamer has to lie above all three.
type Null struct {
	Member string `json:"member"`
	// Set and SHA256 are those of the null set. In runs made before there were null sets
	// both are "": their null is of random pairs of their own references.
	Set      string  `json:"set,omitempty"`
	SHA256   string  `json:"sha256,omitempty"`
	Pairs    int     `json:"pairs"`
	Pearson  float64 `json:"pearson"` // 0, as the others, where nothing is tested
	Spearman float64 `json:"spearman"`
	SNR      float64 `json:"snr"` // of a pair the larger one of its two directions
}

// Of describes the null distribution in one phrase.
func (n Null) Of() string {
	switch {
	case n.Set == NoNull:
		return "none"
	case n.Set == "" && n.Pairs == 0:
		return "no pairs: there is a single reference"
	case n.Set == "":
		return pairs(n.Pairs, "random ") + " of the run's own references"
	case n.Pairs == 0: // not opened yet
		return "pairs of " + n.Set
	}
	return pairs(n.Pairs, "") + " of " + n.Set
}

// pairs counts pairs of a kind.
func pairs(n int, kind string) string {
	if n == 1 {
		return "1 " + kind + "pair"
	}
	return fmt.Sprintf("%d %spairs", n, kind)
}

// Untested says why nothing is tested against the null distribution, "" if it is.
func (n Null) Untested() string {
	switch {
	case n.Set == NoNull:
		return "there is no null set"
	case n.Set == "" && n.Pairs == 0:
		return "a single reference has no null distribution"
	case n.Set != "" && n.Pairs < minNullPairs:
		return fmt.Sprintf("the null set %s has %s, expected at least %d", n.Set, pairs(n.Pairs, ""), minNullPairs)
	}
	return ""
}
