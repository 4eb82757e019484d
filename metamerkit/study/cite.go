package study

import (
	"fmt"
	"runtime/debug"
	"strings"
)

// Citation is something that a study builds on.
type Citation struct {
	What, Text string
	Link       string // "" where there is none
}

// software is where this program comes from.
const software = "github.com/ensemble-metamers/metamers"

// Citations say whom a report of the study cites: the paper, this program, what the
// method and the images come from, and each model.
func (r *Result) Citations() []Citation {
	version := ""
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Path == software {
		if info.Main.Version != "" && info.Main.Version != "(devel)" {
			version = ", version " + info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				version += ", commit " + s.Value[:min(len(s.Value), 12)]
			}
		}
	}
	out := []Citation{
		{"experiment", Paper + ".", "https://arxiv.org/abs/2504.01739"},
		{"software", "metamers: ensemble metamers in Go" + version + ", https://" + software + ".", "https://" + software},
		{"method", "Feather et al. 2023, Model metamers reveal divergent invariances between biological and artificial neural networks, Nature Neuroscience 26, 2017–2034.", "https://doi.org/10.1038/s41593-023-01442-0"},
	}
	if len(r.Distortions) > 0 {
		out = append(out, Citation{"distortions", "Berardino et al. 2017, Eigen-Distortions of Hierarchical Representations, NeurIPS 30.", "https://arxiv.org/abs/1710.02266"},
			Citation{"distortions", "Feather et al. 2025, Discriminating image representations with principal distortions, ICLR.", "https://arxiv.org/abs/2410.15433"})
	}
	switch name := r.Images.Name; {
	case strings.HasPrefix(name, "cifar10"):
		out = append(out, Citation{"images", "Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images (CIFAR-10).", "https://www.cs.toronto.edu/~kriz/cifar.html"})
	case strings.HasPrefix(name, "photos"):
		out = append(out, Citation{"images", "the photographs that the program carries, from Tux Paint's stamps, under GPL-2 (testdata/photos).", ""})
	}
	for _, name := range r.models() {
		c := r.Cards[name]
		if c == nil {
			continue
		}
		text := c.Title
		if c.Paper != "" {
			text += "; " + c.Paper
		}
		text += fmt.Sprintf("; weights: %s, %s.", c.Weights.Source, c.Licence)
		link := ""
		if id, ok := strings.CutPrefix(c.Paper, "arXiv:"); ok {
			link = "https://arxiv.org/abs/" + id
		}
		out = append(out, Citation{name, text, link})
	}
	return out
}
