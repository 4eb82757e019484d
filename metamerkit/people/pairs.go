package people

import (
	"fmt"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// checkPairs returns an error for a source that a task with two images cannot be made of.
func (s Source) checkPairs(d *Design) error {
	switch {
	case s.Classes.Names != nil || s.OtherClasses.Names != nil:
		return fmt.Errorf("experiment: the task %s has no classes as choices", d.Task)
	case !s.Natural && d.Task == SameDifferent:
		return fmt.Errorf("experiment: the task %s shows the references too: without them no trial has the same image twice", d.Task)
	case !s.Natural && d.Pairs == PairReference:
		return fmt.Errorf("experiment: pairs is %s, and the references are left out: expected them, or pairs: %s", PairReference, PairAll)
	case !s.Natural && len(s.Runs) < 2:
		return fmt.Errorf("experiment: one run and no references: expected two images of each reference")
	case s.Others != nil && s.Others.Size != s.References.Size:
		return fmt.Errorf("experiment: the images %s have %d pixels a side and the references %d: expected one size", s.Others.Name, s.Others.Size, s.References.Size)
	}
	return nil
}

// pairs makes the stimuli of reference i in a task with two images. Same-different has as
// many trials with the same image as with different ones. More-natural has each pair in
// both orders.
func (b *builder) pairs(s Source, i int) (list []int) {
	name, reference := s.References.Names[i], s.References.Image(i)
	var same int
	if b.d.Task == SameDifferent {
		same = b.pair(len(s.Runs), i, name, Same, reference, "", reference, Natural)
	}
	for k, run := range s.Runs {
		pix, verdict := pixels(run, i), run.Outcomes()[i]
		if b.d.Task == SameDifferent {
			list = append(list, b.pair(k, i, name, Different, pix, verdict, reference, Natural), same)
			continue
		}
		for side := OnLeft; side <= OnRight; side++ {
			if s.Natural {
				list = append(list, b.pair(k, i, name, side, pix, verdict, reference, Natural))
			}
			for l := k + 1; b.d.Pairs == PairAll && l < len(s.Runs); l++ {
				list = append(list, b.pair(k, i, name, side, pix, verdict, pixels(s.Runs[l], i), l))
			}
		}
	}
	return list
}

// pair adds a stimulus with a second image.
func (b *builder) pair(condition, image int, name string, answer int, pix []float32, verdict string, other []float32, otherCondition int) int {
	n := b.add(condition, image, name, answer, pix, verdict)
	b.d.Stimuli[n].Other = &Other{b.file("stimuli/", images.ToImage(other, b.d.Images.Size)), otherCondition}
	return n
}

// obvious makes a trial of practice or a catch trial, whose answer everybody should know:
// a natural image with itself or with another one, or beside a mask. Answers take turns.
func (b *builder) obvious(turn, image int, from *metamer.ImageSet, i, another int) int {
	name, pix, answer := from.Names[i], from.Image(i), turn%2
	if b.d.Task == MoreNatural {
		n := b.add(Natural, image, name, answer, pix, "")
		b.d.Stimuli[n].Other = &Other{b.d.Masks[turn%len(b.d.Masks)], Natural}
		return n
	}
	other := pix
	if answer == Different {
		other = from.Image(another)
	}
	return b.pair(Natural, image, name, answer, pix, "", other, Natural)
}
