package people

import (
	"math"
	"math/rand/v2"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
)

// masks makes mask k: noise of the amplitude spectrum 1/f, as photographs have. It is a
// sum of plane waves of equal amplitude. Their frequencies are drawn evenly on a
// logarithmic scale: in two dimensions that is a power of 1/f².
func (b *builder) masks(k int) {
	const waves = 300
	size := b.d.Images.Size
	rng := rand.New(rand.NewPCG(b.d.Seed, 1<<62+uint64(k)))
	pix := make([]float32, size*size*3)
	for c := range 3 {
		sum := make([]float64, size*size)
		for range waves {
			f := 2 * math.Pi / float64(size) * math.Pow(float64(size)/2, rng.Float64())
			angle, phase := 2*math.Pi*rng.Float64(), 2*math.Pi*rng.Float64()
			fx, fy := f*math.Cos(angle), f*math.Sin(angle)
			for y := range size {
				for x := range size {
					sum[y*size+x] += math.Cos(fx*float64(x) + fy*float64(y) + phase)
				}
			}
		}
		for i, v := range sum {
			pix[3*i+c] = float32(0.5 + 0.2*v/math.Sqrt(waves/2.)) // standard deviation .2
		}
	}
	b.d.Masks = append(b.d.Masks, b.file("masks/", images.ToImage(pix, size)))
}
