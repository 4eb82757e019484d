package study

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Distorted are the directions of pixels that a plan's model set notices most and least at a
// stage, for each of the first Plan.Distortions images.
type Distorted struct {
	Set    []string
	Stage  string
	Images []api.Distortions
}

// distorted are the images whose distortions the plan asks for: the first of the set, of
// variants one. The error says that the set has fewer.
func (p Plan) distorted(set *images.Set) (*images.Set, error) {
	each := max(set.Copies, 1)
	if have := set.Len() / each; p.Distortions > have {
		return nil, fmt.Errorf("distortions: %d reference images, but %s has %d", p.Distortions, set.Name, have)
	}
	if each == 1 {
		return set.Slice(0, p.Distortions), nil
	}
	out := *set
	out.Names, out.Labels, out.Pixels, out.Copies = nil, nil, nil, 0
	for i := 0; i < p.Distortions*each; i += each {
		out.Names, out.Labels, out.Pixels = append(out.Names, set.Names[i]), append(out.Labels, set.Labels[i]), append(out.Pixels, set.Image(i)...)
	}
	return &out, nil
}

// distorting is the request for a set at a stage.
func (p Plan) distorting(set []string, stage string) api.Distorting {
	return api.Distorting{Models: set, Stage: stage, Seed: p.Settings.Seed}.WithDefaults()
}

// distort finds what is not stored of the distortions that the plan asks for, behind its runs.
// Where an engine cannot find them, the study goes on without: that is a warning, which the
// page shows.
func (d *doing) distort(ctx context.Context) error {
	r := d.r
	if r.Plan.Distortions == 0 || d.o.NoEvaluation {
		return nil
	}
	refs, err := r.Plan.distorted(r.Images)
	if err != nil {
		return fmt.Errorf("study: plan %s: %w", r.Plan.Name, err)
	}
	began := time.Now()
	d.mu.Lock()
	d.clock.begin(len(d.clock.parts) - 1)
	d.mu.Unlock()
	kept := newDistortionStore(d.o.Store)
	computed, cells := false, len(r.Plan.Sets)*len(r.Plan.Stages)
	for _, set := range r.Plan.Sets {
		for _, stage := range r.Plan.Stages {
			c := &distorting{d: d, kept: kept, refs: refs, set: set, stage: stage, share: 1 / float64(cells*refs.Len())}
			found, err := c.find(ctx)
			computed = computed || c.computed
			what := r.Study().Label(set) + ", " + stage
			switch {
			case err != nil && (ctx.Err() != nil || errors.Is(err, errKeep)):
				return fmt.Errorf("study: distortions of %s: %w", what, err)
			case err != nil:
				text := fmt.Sprintf("distortions of %s could not be computed: %v", what, err)
				r.undistorted = append(r.undistorted, text)
				d.warn(text)
			default:
				r.Distortions = append(r.Distortions, Distorted{set, stage, found})
			}
		}
	}
	d.mu.Lock()
	d.clock.end(computed)
	d.mu.Unlock()
	if computed {
		r.Spent.Distortions = time.Since(began)
	}
	return nil
}

// errKeep marks a failure to store what was found.
var errKeep = errors.New("they cannot be kept")

// distorting is a set at a stage whose distortions are sought.
type distorting struct {
	d        *doing
	kept     *distortionStore
	refs     *images.Set
	set      []string
	stage    string
	share    float64 // of all work, of an image
	computed bool
}

// find returns the distortions of each image: those kept, and the others, which are kept as
// soon as they are found.
func (c *distorting) find(ctx context.Context) ([]api.Distortions, error) {
	p, run := c.d.r.Plan, c.d.r.Run(c.set, c.stage)
	q := p.distorting(c.set, c.stage)
	found := make([]api.Distortions, c.refs.Len())
	var todo []int
	for i := range found {
		if !c.kept.read(run, q, c.refs, i, &found[i]) {
			todo = append(todo, i)
		} else {
			c.over()
		}
	}
	for _, i := range todo {
		c.computed = true
		q.Images = c.refs.Slice(i, i+1)
		searches, last := -1, ""
		q.Progress = func(_ int, search string, products int) {
			if search != last {
				searches, last = searches+1, search
			}
			c.show(fmt.Sprintf("%s at %s: %s", c.refs.Names[i], c.stage, search), (float64(searches)+float64(products)/float64(q.Products))/float64(len(c.set)+2))
		}
		got, err := c.d.e.Distort(ctx, q)
		if err == nil && len(got) != 1 {
			err = fmt.Errorf("the engine returned distortions of %d images, expected 1", len(got))
		}
		if err != nil {
			return nil, err
		}
		if err := c.kept.write(run, q, c.refs, i, got[0]); err != nil {
			return nil, fmt.Errorf("%w: %w", errKeep, err)
		}
		found[i] = got[0]
		c.over()
	}
	return found, nil
}

// show reports the share of the image under way.
func (c *distorting) show(what string, share float64) {
	d := c.d
	d.mu.Lock()
	defer d.mu.Unlock()
	over := d.clock.share
	d.clock.share = min(over+min(share, 1)*c.share, 1)
	d.show(what, metamer.Progress{Phase: Distorting})
	d.clock.share = over
}

// over says that an image is done.
func (c *distorting) over() {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	c.d.clock.share = min(c.d.clock.share+c.share, 1)
}

// Distorting is the phase of a study that finds distortions.
const Distorting metamer.Phase = "distortions"

// distortionProducts is the largest number of products with JᵀJ that the distortions of the
// plan take which are not stored, and of how many images at a stage these are.
func (p Plan) distortionProducts(kept *distortionStore, set *images.Set) (products int64, left int, err error) {
	if p.Distortions == 0 {
		return 0, 0, nil
	}
	refs, err := p.distorted(set)
	if err != nil {
		return 0, 0, fmt.Errorf("study: plan %s: %w", p.Name, err)
	}
	for _, set := range p.Sets {
		for _, stage := range p.Stages {
			q := p.distorting(set, stage)
			for i := range refs.Len() {
				if !kept.has(q, refs, i) {
					products, left = products+int64(q.AtMost()), left+1
				}
			}
		}
	}
	return products, left, nil
}

// productWork is a product with JᵀJ by a gradient evaluation of one image, about: it takes
// derivatives along a direction and a gradient.
const productWork = 2

// distortionSeconds is about what the distortions that are left take, from the speed of steps.
func (d *doing) distortionSeconds() (sum float64) {
	if d.f.Distortions == 0 {
		return 0
	}
	p, cells := d.r.Plan, 0
	for _, set := range p.Sets {
		for _, stage := range p.Stages {
			cells++
			batch := min(p.Recipe(set, stage).Batch, d.r.Images.Len())
			for _, m := range set {
				v := d.o.Speeds.Of[d.o.Speeds.key(p, m, stage, batch, d.r.Images.Size)]
				q := p.distorting(set, stage)
				sum += productWork * v.Step / float64(max(batch, 1)) * float64(q.AtMost()) / float64(len(set))
			}
		}
	}
	return sum / float64(cells) * float64(d.f.Distortions)
}
