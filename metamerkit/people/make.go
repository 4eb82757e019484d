package people

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/png"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Source is what an experiment is made of.
type Source struct {
	Runs       []*metamer.Run
	References *metamer.ImageSet
	Classes    Classes // of the references
	// Others are images for practice and catch trials, with their classes; nil: references
	// are held out.
	Others        *metamer.ImageSet
	OtherClasses  Classes
	Natural       bool // the references are a condition too
	PracticeCount int
	CatchCount    int // 0: an eighth of the references, at least 2
	Participants  int // for whom schedules are drawn; default 10 blocks
}

// New fills in what d lacks from a source: choices, conditions, stimuli and schedules. It
// returns the files of the images and masks.
func New(d Design, s Source) (*Design, map[string][]byte, error) {
	if err := s.check(&d); err != nil {
		return nil, nil, err
	}
	d.Format, d.AnswersOf, d.Choices = 1, s.Classes.Of, choices(s.Classes.Names)
	if d.Task != "" {
		d.Question, d.Choices = d.Ask(), taskChoices(d.Task)
	}
	r := s.Runs[0].Recipe.Images
	d.Images = ImageSet{r.Name, r.SHA256, r.Size, r.Count}
	b := &builder{d: &d, files: map[string][]byte{}, rng: rand.New(rand.NewPCG(d.Seed, 1<<63))}
	for _, run := range s.Runs {
		pass, tested := run.Tally()
		d.Conditions = append(d.Conditions, Condition{run.ID, strings.Join(run.Recipe.ModelNames(), "+"), run.Recipe.Stage, pass, tested, run.Made()})
	}
	if s.Natural && d.Task != MoreNatural { // there the reference is the other image
		d.Conditions = append(d.Conditions, Condition{})
	}
	for k := range 8 {
		b.masks(k)
	}
	main, err := b.shown(s)
	if err != nil {
		return nil, nil, err
	}
	var tested [][]int
	for _, i := range main {
		tested = append(tested, b.columns(s, i))
	}
	d.Texts = d.Texts.withDefaults(&d)
	if s.Participants == 0 {
		s.Participants = 10 * len(tested[0])
	}
	d.Schedules = schedules(tested, d.Catch, s.Participants, d.Seed)
	if err := d.Validate(); err != nil {
		return nil, nil, fmt.Errorf("experiment: %w", err)
	}
	return &d, b.files, b.err
}

// columns makes the stimuli of reference i, one for each column of the Latin square. A
// stimulus of several columns is shown to more participants.
func (b *builder) columns(s Source, i int) (list []int) {
	if b.d.Task != "" {
		return b.pairs(s, i)
	}
	for k, run := range s.Runs {
		list = append(list, b.add(k, i, s.References.Names[i], s.Classes.Answer[i], pixels(run, i), run.Outcomes()[i]))
	}
	if s.Natural {
		list = append(list, b.add(len(s.Runs), i, s.References.Names[i], s.Classes.Answer[i], s.References.Image(i), ""))
	}
	return list
}

// check returns an error for runs that cannot be conditions of one experiment.
func (s Source) check(d *Design) error {
	if len(s.Runs) == 0 {
		return fmt.Errorf("experiment: no run given")
	}
	first := s.Runs[0]
	seen := map[string]string{}
	for _, run := range s.Runs {
		if _, tested := run.Tally(); tested == 0 {
			return fmt.Errorf("experiment: run %s has no verdict (%s): whether its images are metamers is not known", run.ID, run.Verdict())
		}
		if a, b := first.Recipe.Images, run.Recipe.Images; a.SHA256 != b.SHA256 {
			return fmt.Errorf("experiment: run %s is of the images %s and run %s of %s: expected runs of the same images", first.ID, a.Name, run.ID, b.Name)
		}
		name := strings.Join(run.Recipe.ModelNames(), "+") + " at the stage " + run.Recipe.Stage
		if other := seen[name]; other != "" {
			return fmt.Errorf("experiment: runs %s and %s are both of %s: expected one run for each model set and stage", other, run.ID, name)
		}
		seen[name] = run.ID
	}
	if d.Task != "" {
		return s.checkPairs(d)
	}
	if s.Others != nil && !slices.Equal(s.Classes.Names, s.OtherClasses.Names) {
		return fmt.Errorf("experiment: the images %s have %d classes and the references %d: expected images with the same classes", s.Others.Name, len(s.OtherClasses.Names), len(s.Classes.Names))
	}
	return nil
}

func pixels(run *metamer.Run, i int) []float32 {
	n := run.Recipe.Images.Size * run.Recipe.Images.Size * 3
	return run.Metamers[i*n : (i+1)*n]
}

// builder collects stimuli and files.
type builder struct {
	d     *Design
	files map[string][]byte
	rng   *rand.Rand
	err   error
}

// shown decides which references are tested, and makes practice and catch trials.
func (b *builder) shown(s Source) (main []int, err error) {
	for i, name := range s.References.Names {
		if b.d.Task == "" && s.Classes.Answer[i] < 0 {
			b.d.Left = append(b.d.Left, Left{i, name, "its class is none of the choices"})
		} else {
			main = append(main, i)
		}
	}
	if s.CatchCount == 0 {
		s.CatchCount = max(2, len(main)/8)
	}
	from, classes, want := s.Others, s.OtherClasses, s.PracticeCount+s.CatchCount
	var usable []int
	if from == nil {
		from, classes, usable = s.References, s.Classes, slices.Clone(main)
		if len(main) < want+2 {
			return nil, fmt.Errorf("experiment: %d references can be shown, and %d are needed: %d for practice, %d for catch trials, 2 for trials. --others names further images for practice and catch trials", len(main), want+2, s.PracticeCount, s.CatchCount)
		}
	} else {
		usable = others(s, b.d.Task == "")
		if len(usable) < want || len(main) < 2 {
			return nil, fmt.Errorf("experiment: %d of the images %s can be shown (they are no references and have a class among the choices), and %d references: expected at least %d and 2", len(usable), from.Name, len(main), want)
		}
	}
	b.rng.Shuffle(len(usable), func(i, j int) { usable[i], usable[j] = usable[j], usable[i] })
	for k, i := range usable[:want] {
		image := i
		if s.Others != nil {
			image = -1
		} else {
			why := "practice"
			if k >= s.PracticeCount {
				why = "catch trials"
			}
			b.d.Left = append(b.d.Left, Left{i, from.Names[i], "it is held out for " + why})
			main = slices.DeleteFunc(main, func(m int) bool { return m == i })
		}
		var n int
		if b.d.Task == "" {
			n = b.add(Natural, image, from.Names[i], classes.Answer[i], from.Image(i), "")
		} else {
			turn := k // practice and catch trials each begin with the first answer
			if k >= s.PracticeCount {
				turn = k - s.PracticeCount
			}
			n = b.obvious(turn, image, from, i, usable[(k+1)%want])
		}
		if k < s.PracticeCount {
			b.d.Practice = append(b.d.Practice, n)
		} else {
			b.d.Catch = append(b.d.Catch, n)
		}
	}
	return main, nil
}

// others are the images from elsewhere that are no references and, if one is needed, have
// an answer.
func others(s Source, answered bool) (usable []int) {
	for i := range s.Others.Len() {
		same := answered && s.OtherClasses.Answer[i] < 0
		for k := range s.References.Len() {
			same = same || slices.Equal(s.References.Image(k), s.Others.Image(i))
		}
		if !same {
			usable = append(usable, i)
		}
	}
	return usable
}

// add makes a stimulus. File names say nothing of what they show.
func (b *builder) add(condition, image int, name string, answer int, pix []float32, verdict string) int {
	f := b.file("stimuli/", images.ToImage(pix, b.d.Images.Size))
	b.d.Stimuli = append(b.d.Stimuli, Stimulus{File: f, Condition: condition, Image: image, Name: name, Answer: answer, Verdict: verdict})
	return len(b.d.Stimuli) - 1
}

// file keeps an image under the name of its checksum.
func (b *builder) file(dir string, m image.Image) File {
	var buf bytes.Buffer
	if err := png.Encode(&buf, m); err != nil && b.err == nil {
		b.err = fmt.Errorf("experiment: %w", err)
	}
	sum := sha256.Sum256(buf.Bytes())
	f := File{dir + hex.EncodeToString(sum[:8]) + ".png", hex.EncodeToString(sum[:])}
	b.files[f.Path] = buf.Bytes()
	return f
}
