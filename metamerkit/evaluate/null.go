package evaluate

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// NullFrom is NullOf from inner products, of activations and of their ranks, so that
// the activations need not be in memory. It takes the same pairs.
func NullFrom(member string, values, ranks *Gram, pairs int, seed uint64) (metamer.Null, error) {
	null := metamer.Null{Member: member, Pearson: -1, Spearman: -1, SNR: -maxSNR}
	if values.N != ranks.N {
		return null, fmt.Errorf("evaluate: activations of %d images and ranks of %d", values.N, ranks.N)
	}
	n := values.N
	for _, k := range pick(rand.New(rand.NewPCG(seed, nullStream)), n*(n-1), pairs) {
		i, j := k/(n-1), k%(n-1)
		if j >= i {
			j++
		}
		null.Pairs++
		null.Pearson = max(null.Pearson, or0(values.Pearson(i, j)))
		null.Spearman = max(null.Spearman, or0(ranks.Pearson(i, j)))
		null.SNR = max(null.SNR, values.snr(i, j))
	}
	return null, nil
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
