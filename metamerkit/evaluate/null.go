package evaluate

import (
	"fmt"
	"math"
	"slices"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Null is the null distribution of one member: the match statistics of all pairs of images
// of a null set.
type Null struct {
	metamer.Null
	pearson, spearman, snr []float64 // of each pair, ascending
}

// Untestable returns the null distribution of a null set with too few pairs, for which Test
// returns the verdict NotTested (see metamer.NullRef.Untested).
func Untestable(member string, set metamer.NullRef) *Null {
	return &Null{Null: metamer.Null{Member: member, Set: set.Name, SHA256: set.SHA256, Pairs: set.Pairs}}
}

// NewNull computes the statistics of all pairs of a null set from the inner products of the
// activations and of their ranks. SNR depends on which image is the reference; the larger
// of the two values counts. Numbers of images that do not give the set's number of pairs
// are an error.
func NewNull(member string, set metamer.NullRef, values, ranks *Gram) (*Null, error) {
	n := values.N
	if n != ranks.N || n*(n-1)/2 != set.Pairs {
		return nil, fmt.Errorf("evaluate: the null set %s: activations of %d images and ranks of %d, expected %d pairs", set.Name, n, ranks.N, set.Pairs)
	}
	null := Untestable(member, set)
	for i := range n {
		for j := range i {
			null.pearson = append(null.pearson, or0(values.Pearson(i, j)))
			null.spearman = append(null.spearman, or0(ranks.Pearson(i, j)))
			null.snr = append(null.snr, max(values.snr(i, j), values.snr(j, i)))
		}
	}
	for _, of := range null.Values() {
		slices.Sort(of)
	}
	return NullOf(member, set, null.Values()), nil
}

// NullOf is the null distribution of a member with the given Values.
func NullOf(member string, set metamer.NullRef, values [3][]float64) *Null {
	null := Untestable(member, set)
	null.pearson, null.spearman, null.snr = values[0], values[1], values[2]
	for i, largest := range []*float64{&null.Pearson, &null.Spearman, &null.SNR} {
		if of := values[i]; len(of) > 0 {
			*largest = of[len(of)-1]
		}
	}
	return null
}

// Values are the Pearson correlations, Spearman correlations and SNRs of the pairs, each
// in ascending order.
func (n *Null) Values() [3][]float64 { return [3][]float64{n.pearson, n.spearman, n.snr} }

// Bytes returns the memory that the distribution takes.
func (n *Null) Bytes() int { return 8 * 3 * len(n.pearson) }

// pValue is the empirical p of a value: (k+1)/(n+1), where k of n null values, in
// ascending order, reach it (North et al. 2002).
func pValue(null []float64, v float64) float64 {
	below, _ := slices.BinarySearch(null, v)
	return float64(len(null)-below+1) / float64(len(null)+1)
}

// or0 is 0 where a correlation is not defined, as in Pearson.
func or0(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return v
}

// snr is SNR of the activations of images i and j.
func (g *Gram) snr(i, j int) float64 {
	if g.flaw[i] == infinite || g.flaw[j] == infinite {
		return -maxSNR
	}
	d := g.mean[i] - g.mean[j]
	noise := g.centred[i*g.N+i] + g.centred[j*g.N+j] - 2*g.centred[i*g.N+j] + float64(g.Dim)*d*d
	power := g.Product(i, i)
	if noise <= 1e-13*power { // equal, up to rounding
		return maxSNR
	}
	return min(max(10*math.Log10(power/noise), -maxSNR), maxSNR)
}
