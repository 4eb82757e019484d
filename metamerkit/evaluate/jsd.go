package evaluate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// DefaultBins is the default number of histogram bins of a similarity distribution.
const DefaultBins = metamer.DefaultBins

// maxBins bounds the number of bins.
const maxBins = 1 << 15

// JSD compares the distribution of the pairwise similarities of reference images with that
// of their metamers. All values are in bits: 0 for equal distributions, 1 for distributions
// without a common bin.
type JSD struct {
	Bins, Pairs int
	// Value is the Jensen-Shannon divergence H((p+q)/2) − (H(p)+H(q))/2 of the two
	// histograms, on Bins equal bins between the smallest and the largest similarity
	// of both (Lin 1991).
	Value, Low, High float64
	// MillerMadow is Value with the first-order bias of the three entropies taken off
	// (Miller 1955), as if pairs were independent; it may be below 0.
	MillerMadow float64
	// Floor is what Value would be on average if references and metamers had the same
	// distribution and were other images: the mean divergence of two resamples of the
	// references.
	Floor float64
	// Nearest is an estimate without bins (see jsdNearest).
	Nearest float64
	// NoInterval says why Low and High are NaN, "" if they are not.
	NoInterval string
}

// floorRounds is how many pairs of resamples Floor averages over.
const floorRounds = 200

// NewJSD computes all estimates from the similarities of the same images. For bins 0 it
// uses DefaultBins. The interval resamples images and takes the pairs of different images
// of each resample; the bins stay those of the whole. Its default method is "basic":
// resamples lie further apart than the samples they come from, so that with few images the
// other methods miss the true value (TestJSDIntervalCovers). Fewer than three images are
// Undefined.
func NewJSD(ref, met *Matrix, bins int, b Bootstrap) (*JSD, error) {
	if bins == 0 {
		bins = DefaultBins
	}
	if bins < 2 || bins > maxBins {
		return nil, fmt.Errorf("evaluate: %d bins, expected 2 to %d", bins, maxBins)
	}
	b = b.ofPairs()
	if ref.N != met.N || ref.Kind != met.Kind {
		return nil, fmt.Errorf("evaluate: %s similarities of %d references and %s similarities of %d metamers cannot be compared", ref.Kind, ref.N, met.Kind, met.N)
	}
	p, err := ref.Pairs()
	if err != nil {
		return nil, prefix("references: ", err)
	}
	q, err := met.Pairs()
	if err != nil {
		return nil, prefix("metamers: ", err)
	}
	edges := Edges(p, q, bins)
	h := &histograms{n: ref.N, bins: bins, ref: digitize(p, edges), met: digitize(q, edges)}
	j := &JSD{Bins: bins, Pairs: len(p), Low: math.NaN(), High: math.NaN()}
	one := make([]int, ref.N)
	for i := range one {
		one[i] = 1
	}
	cp, cq := h.count(h.ref, one), h.count(h.met, one)
	j.Value = divergence(cp, cq)
	j.MillerMadow = millerMadow(cp, cq)
	j.Floor = h.floor(b.Seed)
	j.Nearest = jsdNearest(p, q, defaultNeighbours)
	j.Low, j.High, err = b.Interval(ref.N, func(w []int) float64 { return divergence(h.count(h.ref, w), h.count(h.met, w)) })
	if u, ok := err.(Undefined); ok {
		j.NoInterval, err = string(u), nil
	}
	// Near 0 all resamples lie above Value, and mirrored below it: the interval reaches
	// up to Value all the same.
	j.Low, j.High = max(min(j.Low, j.Value), 0), min(max(j.High, j.Value), 1)
	return j, err
}

func prefix(what string, err error) error {
	if u, ok := err.(Undefined); ok {
		return Undefined(what + string(u))
	}
	return err
}

// Edges returns the bins+1 equally spaced edges between the smallest and the largest value
// of p and q, as numpy.linspace does.
func Edges(p, q []float64, bins int) []float64 {
	lo, hi := min(slices.Min(p), slices.Min(q)), max(slices.Max(p), slices.Max(q))
	if lo == hi { // as numpy.histogram
		lo, hi = lo-0.5, hi+0.5
	}
	edges := make([]float64, bins+1)
	step := (hi - lo) / float64(bins)
	for i := range edges {
		edges[i] = lo + float64(i)*step
	}
	edges[bins] = hi
	return edges
}

// digitize returns the bin of each value: edges[k] ≤ v < edges[k+1], the last bin
// with its upper edge, as numpy.histogram counts.
func digitize(v, edges []float64) []uint16 {
	bins := len(edges) - 1
	lo, width := edges[0], edges[bins]-edges[0]
	out := make([]uint16, len(v))
	for i, x := range v {
		k := min(max(int((x-lo)/width*float64(bins)), 0), bins-1)
		for k > 0 && x < edges[k] {
			k--
		}
		for k < bins-1 && x >= edges[k+1] {
			k++
		}
		out[i] = uint16(k)
	}
	return out
}

// histograms hold the bin of every pair.
type histograms struct {
	n, bins  int
	ref, met []uint16
}

// count is the histogram of the pairs of different images, where image i stands
// weight[i] times.
func (h *histograms) count(pairs []uint16, weight []int) []float64 {
	out, drawn := make([]float64, h.bins), drawn(weight)
	for a, i := range drawn {
		first := i*(2*h.n-i-1)/2 - i - 1 // first+j is the pair (i,j)
		wi := float64(weight[i])
		for _, j := range drawn[a+1:] {
			out[pairs[first+j]] += wi * float64(weight[j])
		}
	}
	return out
}

// floor is JSD.Floor.
func (h *histograms) floor(seed uint64) float64 {
	sum, rounds := 0.0, 0
	draw := func(r int) []float64 {
		rng := rand.New(rand.NewPCG(seed, 0x666c6f6f72+uint64(r)))
		w := make([]int, h.n)
		for range w {
			w[rng.IntN(h.n)]++
		}
		return h.count(h.ref, w)
	}
	each := make([]float64, floorRounds)
	split(floorRounds, func(from, to int) {
		for r := from; r < to; r++ {
			each[r] = divergence(draw(2*r), draw(2*r+1))
		}
	})
	for _, v := range each {
		if !math.IsNaN(v) {
			sum, rounds = sum+v, rounds+1
		}
	}
	return sum / float64(rounds)
}

// divergence is the Jensen-Shannon divergence of two histograms in bits; NaN when
// one is empty.
func divergence(p, q []float64) float64 {
	np, nq := total(p), total(q)
	d := 0.0
	for i := range p {
		a, b := p[i]/np, q[i]/nq
		m := (a + b) / 2
		d += plogp(a, m) + plogp(b, m)
	}
	return min(max(d/2, 0), 1) // rounding
}

// plogp is p·log₂(p/m).
func plogp(p, m float64) float64 {
	if p == 0 {
		return 0
	}
	return p * math.Log2(p/m)
}

func total(v []float64) (sum float64) {
	for _, x := range v {
		sum += x
	}
	return sum
}

// millerMadow takes (m−1)/(2n) nats off for each entropy with m occupied bins and n
// pairs.
func millerMadow(p, q []float64) float64 {
	n := total(p)
	mp, mq, both := 0, 0, 0
	for i := range p {
		if p[i] > 0 {
			mp++
		}
		if q[i] > 0 {
			mq++
		}
		if p[i]+q[i] > 0 {
			both++
		}
	}
	bias := float64(both-1)/(4*n) - (float64(mp-1)+float64(mq-1))/(4*n)
	return divergence(p, q) + bias/math.Ln2
}
