package study

import (
	"context"
	"fmt"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/weightfiles"
)

// Downloading is the phase of a study that downloads weights.
const Downloading metamer.Phase = "download"

// pull downloads the weights of a plan that are missing, one model after the other, and
// returns the models as they are then. A download that fails is a warning: the sets and
// observers that need the model are left out.
func pull(ctx context.Context, e api.Engine, missing []MissingModel, c *catalogue, o Options) ([]api.Model, error) {
	for _, m := range missing {
		if !m.Pull {
			continue
		}
		what := "weights of " + m.Model
		o.Progress(Progress{What: what, Phase: Downloading})
		_, err := weightfiles.Pull(ctx, c.by[m.Model].Card, weightfiles.Options{Progress: func(done, total int64) {
			o.Progress(Progress{What: what, Phase: Downloading, Done: float64(done) / float64(max(total, done, 1))})
		}})
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			o.Warn(fmt.Sprintf("the weights of %s cannot be downloaded: %v", m.Model, err))
		}
	}
	return e.Models(ctx)
}
