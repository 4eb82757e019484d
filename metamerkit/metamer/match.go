package metamer

// Match holds the match statistics of one member over the images of a run.
type Match struct {
	Null                         Null
	Loss, Pearson, Spearman, SNR float64 // means
	// The largest empirical p of an image, 0 where there is none (see MatchStatistics).
	PPearson, PSpearman, PSNR float64
	Same, Pass, Tested, Count int     // images
	PNGLoss                   float64 // of the images as PNG files hold them
	PNGPass, PNGTested        int
}

// Matches returns the match statistics of each member of a run.
func (r *Run) Matches() []Match { return matches(r.Nulls, r.Statistics) }

// AgainstMatches returns those of each model that the run is against.
func (r *Run) AgainstMatches() []Match { return matches(r.AgainstNulls, r.Against) }

func matches(nulls []Null, statistics []MatchStatistics) (out []Match) {
	for _, null := range nulls {
		m := Match{Null: null}
		for _, e := range statistics {
			if e.Member != null.Member {
				continue
			}
			m.Count++
			m.Loss, m.Pearson, m.Spearman, m.SNR = m.Loss+e.Loss, m.Pearson+e.Pearson, m.Spearman+e.Spearman, m.SNR+e.SNR
			m.PPearson, m.PSpearman, m.PSNR = max(m.PPearson, e.PPearson), max(m.PSpearman, e.PSpearman), max(m.PSNR, e.PSNR)
			m.Same += b2i(e.SameClass)
			m.Pass += b2i(e.Verdict == Pass)
			m.Tested += b2i(e.Verdict == Pass || e.Verdict == Fail)
			m.PNGLoss += e.PNGLoss
			m.PNGPass += b2i(e.PNGVerdict == Pass)
			m.PNGTested += b2i(e.PNGVerdict == Pass || e.PNGVerdict == Fail)
		}
		n := float64(max(m.Count, 1))
		m.Loss, m.Pearson, m.Spearman, m.SNR, m.PNGLoss = m.Loss/n, m.Pearson/n, m.Spearman/n, m.SNR/n, m.PNGLoss/n
		out = append(out, m)
	}
	return out
}
