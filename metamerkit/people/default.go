package people

// DefaultPractice is the default number of practice trials.
const DefaultPractice = 4

// Default are the default settings of metamers experiment make for images of a size.
func Default(size int) Design {
	return Design{
		Title: "What do you see?", Software: "metamers", Seed: 1, Break: 50,
		Times:     Times{Refresh: 60, Fixation: 18, Image: 18, Mask: 18},
		Display:   Display{Magnification: max(1, 256/size), Calibrate: true},
		Exclusion: Exclusion{CatchAtLeast: 0.75, FastMS: 200, FastAtMost: 0.1, ShownWithin: 50},
	}
}
