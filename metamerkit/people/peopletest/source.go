// Package peopletest makes small experiments for tests.
package peopletest

import (
	"fmt"
	"math/rand/v2"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/people"
)

// Size is that of the images, in pixels.
const Size = 16

// References are n images of noise in four classes.
func References(n int) *metamer.ImageSet {
	s := &metamer.ImageSet{Name: "noise", Size: Size, ClassNames: []string{"ant", "bee", "cat", "dog"}}
	for i := range n {
		s.Names, s.Labels = append(s.Names, fmt.Sprintf("%s, %d", s.ClassNames[i%4], i)), append(s.Labels, i%4)
	}
	s.Pixels = noise(n, 1)
	return s
}

func noise(n int, seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 0))
	pix := make([]float32, n*Size*Size*3)
	for i := range pix {
		pix[i] = rng.Float32()
	}
	return pix
}

// Run is a run of a model on the references whose verdicts are known.
func Run(refs *metamer.ImageSet, model, stage string) *metamer.Run {
	n := refs.Len()
	r := metamer.Recipe{Models: []metamer.ModelRef{{Name: model}}, Stage: stage}
	r.Images.Name, r.Images.SHA256, r.Images.Size, r.Images.Count = refs.Name, refs.SHA256(), Size, n
	run := &metamer.Run{Recipe: r, ID: r.ID(), Metamers: noise(n, uint64(len(model)*10+len(stage)))}
	for i := range n {
		run.Statistics = append(run.Statistics, metamer.MatchStatistics{Image: i, Member: model, Verdict: metamer.Pass})
	}
	return run
}

// Source has two runs of n references.
func Source(n int) people.Source {
	refs := References(n)
	classes, err := people.Labelled(refs)
	if err != nil {
		panic(err)
	}
	return people.Source{Runs: []*metamer.Run{Run(refs, "one", "early"), Run(refs, "one", "late")}, References: refs, Classes: classes, Natural: true, PracticeCount: 2, CatchCount: 2}
}

// Pairs is Source without classes, for tasks with two images.
func Pairs(n int) people.Source {
	s := Source(n)
	s.Classes = people.Classes{}
	return s
}

// Settings are those of a design of few frames.
func Settings() people.Design {
	return people.Design{
		Title: "Test", Software: "test", Seed: 1, Break: 5,
		Times:     people.Times{Refresh: 60, Fixation: 1, Image: 2, Mask: 1},
		Display:   people.Display{Magnification: 4},
		Exclusion: people.Exclusion{CatchAtLeast: 0.5, FastMS: 0, FastAtMost: 1, ShownWithin: 1e5},
	}
}
