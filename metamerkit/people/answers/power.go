package answers

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/people"
)

// Power is a question: how many participants show that the recognizability of two
// conditions differs by Difference?
type Power struct {
	Difference  float64
	Rate        float64 // mean of the two conditions
	Images      int     // references that are tested
	Conditions  int     // of which a participant sees each reference in one
	PersonSD    float64 // standard deviations of participants and images, on the logit scale
	ImageSD     float64
	Wanted      float64 // power, such as .8
	Simulations int
	Seed        uint64
}

// Tried is the power with a number of participants: the share of simulated experiments in
// which the two-way bootstrap interval of the difference lies above 0.
type Tried struct {
	Participants int
	Power        float64
}

// most is the largest number of participants that is tried.
const most = 2000

// Validate returns an error for the first thing that cannot be.
func (p Power) Validate() error {
	switch {
	case !(p.Difference > 0 && p.Rate-p.Difference/2 > 0 && p.Rate+p.Difference/2 < 1):
		return fmt.Errorf("experiment: a difference of %v around the rate %v: expected rates between 0 and 1", p.Difference, p.Rate)
	case p.Conditions < 2 || p.Images < p.Conditions:
		return fmt.Errorf("experiment: %d images and %d conditions: expected at least 2 conditions and an image for each", p.Images, p.Conditions)
	case !(p.PersonSD >= 0 && p.ImageSD >= 0):
		return fmt.Errorf("experiment: standard deviations %v and %v: expected numbers from 0", p.PersonSD, p.ImageSD)
	case !(p.Wanted > 0 && p.Wanted < 1) || p.Simulations < 20:
		return fmt.Errorf("experiment: a power of %v from %d simulations: expected a share and at least 20", p.Wanted, p.Simulations)
	}
	return nil
}

// Search tries whole blocks of participants, twice as many each time and then between, and
// returns what it tried, the smallest sufficient number last. Enough is false if no number
// up to 2000 is sufficient: more participants do not make up for too few images.
func (p Power) Search() (tried []Tried, enough bool, err error) {
	if err := p.Validate(); err != nil {
		return nil, false, err
	}
	at := func(blocks int) Tried {
		t := Tried{blocks * p.Conditions, 0}
		t.Power = p.at(t.Participants)
		tried = append(tried, t)
		return t
	}
	low, high := 0, 1
	for at(high).Power < p.Wanted {
		if low, high = high, 2*high; high*p.Conditions > most {
			return tried, false, nil
		}
	}
	best := tried[len(tried)-1]
	for high-low > 1 {
		if mid := (low + high) / 2; at(mid).Power >= p.Wanted {
			high, best = mid, tried[len(tried)-1]
		} else {
			low = mid
		}
	}
	return append(tried, best), true, nil
}

// at simulates experiments with n participants.
func (p Power) at(n int) float64 {
	// Random effects pull rates towards 1/2; logits are made larger by as much (Zeger,
	// Liang & Albert 1988).
	wider := math.Sqrt(1 + 0.346*(p.PersonSD*p.PersonSD+p.ImageSD*p.ImageSD))
	logit := func(r float64) float64 { return math.Log(r/(1-r)) * wider }
	centre := [2]float64{logit(p.Rate + p.Difference/2), logit(p.Rate - p.Difference/2)}
	hits := 0
	for s := range p.Simulations {
		rng := rand.New(rand.NewPCG(p.Seed, uint64(s)<<32|uint64(n)))
		images := make([]float64, p.Images)
		for i := range images {
			images[i] = p.ImageSD * rng.NormFloat64()
		}
		var list []Answer
		for person := range n {
			effect := p.PersonSD * rng.NormFloat64()
			for i := range images {
				c := (person + i) % p.Conditions
				if c < 2 {
					chance := 1 / (1 + math.Exp(-(centre[c] + effect + images[i])))
					list = append(list, Answer{Participant: person, Condition: c, Image: i, Right: rng.Float64() < chance})
				}
			}
		}
		low, _, err := Contrast(list, 0, 1, n, p.Images, evaluate.Bootstrap{Resamples: 200, Seed: uint64(s)})
		if err == nil && low > 0 {
			hits++
		}
	}
	return float64(hits) / float64(p.Simulations)
}

// Contrast is the two-way bootstrap interval of the share of right answers in condition a
// minus that in condition b.
func Contrast(list []Answer, a, b, people, images int, boot evaluate.Bootstrap) (low, high float64, err error) {
	return boot.TwoWay(people, images, func(person, image []int) float64 {
		var right, all [2]float64
		for _, x := range list {
			k := 0
			if x.Condition == b {
				k = 1
			} else if x.Condition != a {
				continue
			}
			w := float64(person[x.Participant] * image[x.Image])
			all[k] += w
			if x.Right {
				right[k] += w
			}
		}
		return right[0]/all[0] - right[1]/all[1]
	})
}

// Pilot takes rate, numbers and standard deviations from data. The standard deviations come
// from the variances of the means of participants and images around their conditions, less
// what single answers bring.
func (d *Data) Pilot(p Power) (Power, error) {
	if d.Design.Task != "" {
		return p, fmt.Errorf("experiment: the pilot's task is %s, expected %s", d.Design.Kind(), people.Recognition)
	}
	list, persons := d.Answers()
	if persons < 4 {
		return p, fmt.Errorf("experiment: %d participants are included, expected at least 4 for a pilot", persons)
	}
	means := shares(list, len(d.Design.Conditions), func(Answer) bool { return true })
	spread := func(of func(Answer) int) float64 {
		sum, noise, count := map[int]float64{}, map[int]float64{}, map[int]float64{}
		for _, a := range list {
			m, y := means[a.Condition], 0.0
			if a.Right {
				y = 1
			}
			sum[of(a)] += y - m
			noise[of(a)] += m * (1 - m)
			count[of(a)]++
		}
		between, scale := 0.0, 0.0
		for k, n := range count {
			between += (sum[k]*sum[k] - noise[k]) / (n * n)
			scale += noise[k] / n
		}
		if scale == 0 {
			return 0
		}
		n := float64(len(count))
		return math.Sqrt(max(between/n, 0)) / (scale / n)
	}
	right := 0
	images := map[int]bool{}
	for _, a := range list {
		images[a.Image] = true
		if a.Right {
			right++
		}
	}
	p.Rate, p.Images, p.Conditions = float64(right)/float64(len(list)), len(images), len(d.Design.Conditions)
	p.PersonSD, p.ImageSD = spread(func(a Answer) int { return a.Participant }), spread(func(a Answer) int { return a.Image })
	return p, nil
}
