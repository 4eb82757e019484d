package evaluate

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"
)

// defaultNeighbours is the number of neighbours k that JSD.Nearest uses.
const defaultNeighbours = 3

// jsdNearest estimates the Jensen-Shannon divergence of two samples of equal size, in bits,
// without bins: it is the mutual information between a value and the sample it belongs to,
// estimated from the k nearest neighbours (Ross 2014, doi:10.1371/journal.pone.0087357).
// The estimate can be slightly negative. It is NaN for samples of k values or fewer.
func jsdNearest(p, q []float64, k int) float64 {
	if len(p) <= k || len(q) <= k {
		return math.NaN()
	}
	p, q = sorted(p), sorted(q)
	both := sorted(append(slices.Clone(p), q...))
	sum := 0.0
	for _, own := range [][]float64{p, q} {
		for i, v := range own {
			// All values strictly nearer than the k-th neighbour, as scikit-learn counts
			// them, v itself among them.
			r := math.Nextafter(kth(own, i, k), 0)
			from, _ := slices.BinarySearch(both, v-r)
			to, _ := slices.BinarySearch(both, v+r)
			for ; from > 0 && v-both[from-1] <= r; from-- { // v−r and v+r are rounded
			}
			for ; v-both[from] > r; from++ {
			}
			for ; to < len(both) && both[to]-v <= r; to++ {
			}
			for ; both[to-1]-v > r; to-- {
			}
			sum += mathext.Digamma(float64(to - from))
		}
	}
	n := float64(len(both))
	np, nq := float64(len(p)), float64(len(q))
	nats := mathext.Digamma(n) + mathext.Digamma(float64(k)) - (np*mathext.Digamma(np)+nq*mathext.Digamma(nq))/n - sum/n
	return nats / math.Ln2
}

func sorted(v []float64) []float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v
}

// kth is the distance from v[i] to its k-th nearest neighbour in the sorted v.
func kth(v []float64, i, k int) float64 {
	lo, hi := i, i
	for range k {
		switch {
		case lo == 0:
			hi++
		case hi == len(v)-1:
			lo--
		case v[i]-v[lo-1] <= v[hi+1]-v[i]:
			lo--
		default:
			hi++
		}
	}
	return max(v[i]-v[lo], v[hi]-v[i])
}
