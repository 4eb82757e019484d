package metamer

// DefaultBins is the number of bins of a similarity distribution: with 16 images and
// 50 bins the JSD is a third too high, with 20 a fifth, and finer bins tell hardly more.
const DefaultBins = 20

// Similarities are the measures of representational similarity of two images: the
// correlation, cosine and rank correlation of their activations.
var Similarities = []string{"pearson", "cosine", "spearman"}

// Bootstrap says how intervals over images are made (package evaluate makes them). Its
// zero value is 2000 resamples, 95 %, BCa.
type Bootstrap struct {
	Resamples int     // default 2000
	Level     float64 // default 0.95
	Method    string  // percentile | basic | bca (default; of JSD, CKA and RSA basic)
	Seed      uint64  // resample r of n images is the same for every measure
}
