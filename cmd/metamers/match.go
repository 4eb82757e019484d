package main

import (
	"fmt"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// nullFlag names the null set.
type nullFlag struct {
	Null string `help:"Null set: a metamer passes if it matches its reference better than any pair of images of this set match each other. Choices: photos:64 (default), another set such as cifar10:1000, a folder, or none for no test. It needs at least 46 images; at most 1414 are compared." placeholder:"SET" predictor:"images"`
}

// nullName is the value of --null.
func nullName(typed string) (string, error) {
	name, err := metamer.NullName("", typed)
	if err != nil {
		return "", fmt.Errorf("--null: %w", err)
	}
	return name, nil
}

// largestNull is the name of the row of the null distribution.
const largestNull = "largest of any null pair"

// matchTable is the table of a run's match statistics, line by line: means over the
// images, in the second line of each member the largest value of the null distribution
// and the largest p of an image. The models that the run is against follow.
func matchTable(run *metamer.Run) (lines []string) {
	matches, others := run.Matches(), run.AgainstMatches()
	if len(matches) == 0 {
		return nil
	}
	wide := len("  " + largestNull)
	for _, m := range append(matches[:len(matches):len(matches)], others...) {
		wide = max(wide, len(m.Null.Member))
	}
	line := func(format string, values ...any) { lines = append(lines, fmt.Sprintf(format, values...)) }
	passed := func(pass, tested int) string {
		if tested == 0 {
			return metamer.NotTested
		}
		return fmt.Sprintf("%d of %d", pass, tested)
	}
	table := func(head string, matches []metamer.Match) {
		line("%-*s %8s %9s %9s %8s %11s %9s %11s", wide, head, "rel. L2", "Pearson", "Spearman", "SNR dB", "same class", "pass", "pass as PNG")
		for _, m := range matches {
			line("%-*s %#8.3g %9.3f %9.3f %8.1f %5d of %-3d %10s %11s", wide, m.Null.Member, m.Loss, m.Pearson, m.Spearman, m.SNR, m.Same, m.Count, passed(m.Pass, m.Tested), passed(m.PNGPass, m.PNGTested))
			if m.Null.Untested() == "" {
				line("%-*s %8s %9.3f %9.3f %8.1f", wide, "  "+largestNull, "", m.Null.Pearson, m.Null.Spearman, m.Null.SNR)
			}
			if m.PPearson > 0 {
				line("%-*s %8s %9.2g %9.2g %8.2g", wide, "  p of the worst image", "", m.PPearson, m.PSpearman, m.PSNR)
			}
		}
	}
	table("member", matches)
	if others != nil {
		table("against", others)
	}
	line("null distribution: %s", matches[0].Null.Of())
	return lines
}
