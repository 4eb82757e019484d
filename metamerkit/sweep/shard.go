package sweep

import (
	"fmt"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/study"
)

// The phases of a plan.
const (
	Runs        = "runs"        // a block of images is synthesised
	Evaluations = "evaluations" // blocks become one run, which is evaluated
)

// Shard is the smallest piece of a plan: one command.
type Shard struct {
	Index int      `json:"index"`
	Phase string   `json:"phase"`
	Set   []string `json:"set"`
	Stage string   `json:"stage"`
	// Against is the other set of a pair; nil: none (study.Cell).
	Against []string `json:"against,omitempty"`
	From    int      `json:"from"` // images
	To      int      `json:"to"`
	// Work is in gradient evaluations of one image (a forward pass counts a third).
	Work float64 `json:"work"`
	// Needs are the shards that come first: Needs[0] up to Needs[1].
	Needs [2]int `json:"needs"`
}

// String names a shard for people.
func (s Shard) String() string {
	name := strings.Join(s.Set, "+") + ", " + s.Stage
	if s.Against != nil {
		name += ", against " + strings.Join(s.Against, "+")
	}
	if s.Phase == Evaluations {
		return "evaluation of " + name
	}
	return fmt.Sprintf("%s, images %d–%d", name, s.From, s.To-1)
}

// Split divides a pinned plan with n images into shards of at most block images: all
// of the first phase, cell by cell (study.Plan.Cells), then an evaluation for each cell.
// A block below n must be a multiple of the batch; 0: four batches.
func Split(p study.Plan, n, block int) ([]Shard, int, error) {
	if n < 1 {
		return nil, 0, fmt.Errorf("sweep: plan %s has no images", p.Name)
	}
	batch := min(p.Recipe(p.Sets[0], p.Stages[0]).Batch, n)
	if block == 0 {
		block = 4 * batch
	}
	block = min(block, n)
	if block < 1 || block < n && block%batch != 0 {
		return nil, 0, fmt.Errorf("sweep: plan %s: blocks of %d images, expected a multiple of the batch, %d, so that the results have the same bits as without blocks (settings: {batch: %d} will do)", p.Name, block, batch, max(block, 1))
	}
	var runs, evaluations []Shard
	per := (n + block - 1) / block
	cells := p.Cells()
	count := len(cells) * per
	for _, c := range cells {
		first := len(runs)
		for from := 0; from < n; from += block {
			to := min(from+block, n)
			rec := p.Of(c)
			work := float64((to - from) * rec.Evaluations(rec.AllSteps()))
			runs = append(runs, Shard{Index: len(runs), Phase: Runs, Set: c.Set, Stage: c.Stage, Against: c.Against, From: from, To: to, Work: work})
		}
		evaluations = append(evaluations, Shard{
			Index: count + len(evaluations), Phase: Evaluations, Set: c.Set, Stage: c.Stage, Against: c.Against, From: 0, To: n,
			// References and metamers are read by every observer.
			Work:  float64(n*len(p.Only(c).Observers)) * 2 / 3,
			Needs: [2]int{first, len(runs)},
		})
	}
	return append(runs, evaluations...), block, nil
}

// Args are the arguments of the shard's command: metamers with them makes the run, or
// returns at once if the store holds it.
func (s *Sweep) Args(sh Shard) []string {
	args := []string{"reproduce", "--scale", s.path("plan.yaml"), "--store", s.Store, "--set", strings.Join(sh.Set, ","), "--stage", sh.Stage}
	if sh.Against != nil {
		args = append(args, "--against", strings.Join(sh.Against, ","))
	}
	if s.Backend != "" && s.Backend != "auto" {
		args = append([]string{"--backend", s.Backend}, args...)
	}
	if c := s.Plan.Sweep.Checkpoint; c != "" {
		args = append(args, "--checkpoint", c)
	}
	if sh.Phase == Evaluations {
		if s.Block < sh.To {
			args = append(args, "--blocks", fmt.Sprint(s.Block))
		}
		return args
	}
	return append(args, "--part", fmt.Sprintf("%d-%d", sh.From, sh.To))
}
