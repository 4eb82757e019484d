package metamerkit

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
)

// Distortions are the directions of pixels that a model set notices most and least at each
// image, and those that separate its members (docs/distortions.md). A cell shows them.
type Distortions struct {
	Stage string
	Found []api.Distortions // one an image; Direction is [S,S,3], of length 1

	sheet []byte
}

// Distort returns the directions of pixels that the models, together, notice most and least
// at a stage, for each image; for two models and more also the pair of directions that
// separates them best. The error names a model, stage or layer that cannot be used.
func Distort(models []string, stage string, refs Images) (*Distortions, error) {
	q := &api.Distorting{Models: models, Stage: stage, Named: refs.ref()}
	reply, err := do(api.Request{Distort: q}, refs)
	if err != nil {
		return nil, err
	}
	if reply.Figure == nil || len(reply.Distortions) == 0 {
		return nil, errors.New("metamerkit: the server returned no distortions")
	}
	return &Distortions{stage, reply.Distortions, reply.Figure.Data}, nil
}

// MIMEBundle shows the reference images and what was found.
func (d *Distortions) MIMEBundle() (map[string][]byte, error) {
	return map[string][]byte{"text/plain": []byte(d.String()), "image/png": d.sheet}, nil
}

// String lists the sensitivities of each member.
func (d *Distortions) String() string {
	var b strings.Builder
	for _, f := range d.Found {
		fmt.Fprintln(&b, f.Summary())
	}
	return b.String()
}
