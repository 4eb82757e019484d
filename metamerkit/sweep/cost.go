package sweep

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/runs"
)

// Cost is what a plan is expected to take.
type Cost struct {
	Hours    float64  // of one device, of what is not done
	Bytes    float64  // in the store, of what is not done
	Unknown  []string // model sets for which no time is known: not in Hours
	Measured []string // what the times come from
}

// Expect estimates the runs that are not done: from runs of the same set and stage in
// the store (else of the same set), made with any number of steps and images on the
// same backend; else from the plan's own seconds. Evaluations are not in it.
func (s *Sweep) Expect() (*Cost, error) {
	pending, _, err := s.Pending()
	if err != nil {
		return nil, err
	}
	past, err := s.past()
	if err != nil {
		return nil, err
	}
	c := &Cost{}
	for _, i := range pending {
		sh := s.Shards[i]
		rec := s.Plan.Recipe(sh.Set, sh.Stage, sh.Against...)
		if sh.Phase == Evaluations {
			if s.Block < s.Images { // the joined run
				c.Bytes += float64(sh.To) * s.imageBytes(rec)
			}
			continue
		}
		c.Bytes += float64(sh.To-sh.From) * s.imageBytes(rec)
		models := rec.TappedNames()
		name := strings.Join(models, "+")
		unit, from := past.seconds(models, sh.Stage, s.side(), s.Backend), ""
		if unit > 0 {
			from = "runs in the store of " + name
		} else if unit = s.stated(models); unit > 0 {
			from = "the plan's seconds for " + name
		} else {
			if !slices.Contains(c.Unknown, name) {
				c.Unknown = append(c.Unknown, name)
			}
			continue
		}
		if !slices.Contains(c.Measured, from) {
			c.Measured = append(c.Measured, from)
		}
		c.Hours += unit * sh.Work / 3600
	}
	return c, nil
}

// stated are the plan's seconds of a gradient evaluation, the mean over the members;
// 0: one is not stated.
func (s *Sweep) stated(set []string) (mean float64) {
	for _, m := range set {
		v := s.Plan.Sweep.Seconds[m]
		for short, w := range s.Plan.Sweep.Seconds { // resnet50 for resnet50.tv_in1k
			if v == 0 && strings.HasPrefix(m, short+".") {
				v = w
			}
		}
		if v == 0 {
			return 0
		}
		mean += v / float64(len(set))
	}
	return mean
}

// imageBytes is what an image of a run takes: metamer and start in float32, the
// preview (about 1.5 bytes a pixel), and a line of the loss trace for each evaluation
// (30 bytes).
func (s *Sweep) imageBytes(rec metamer.Recipe) float64 {
	size := float64(s.side())
	return size*size*(3*4*2+1.5) + 30*float64(rec.Evaluations(rec.AllSteps()))
}

// side is the pixels a side of the plan's images.
func (s *Sweep) side() int {
	switch {
	case images.IsCIFAR(s.Plan.Images):
		return 32
	case s.Plan.Size == 0:
		return 224
	}
	return s.Plan.Size
}

// history is what earlier runs took.
type history struct{ list []pastRun }

type pastRun struct {
	set            []string // of all models that are evaluated
	stage, backend string
	size           int
	work, seconds  float64
}

// seconds of a gradient evaluation: the mean over runs of the set and stage at
// that size, else of the set; 0: there are none.
func (h *history) seconds(models []string, stage string, side int, backend string) float64 {
	for _, anyStage := range []bool{false, true} {
		work, seconds := 0.0, 0.0
		for _, p := range h.list {
			if slices.Equal(p.set, models) && p.size == side && (anyStage || p.stage == stage) && (backend == "" || backend == "auto" || backend == p.backend) {
				work, seconds = work+p.work, seconds+p.seconds
			}
		}
		if work > 0 {
			return seconds / work
		}
	}
	return 0
}

// past reads recipes and match statistics of the runs in the store, not their pixels.
func (s *Sweep) past() (*history, error) {
	h := &history{}
	store, err := runs.Locate(s.Store)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(store.Dir)
	if os.IsNotExist(err) {
		return h, nil
	}
	if err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		var r metamer.Recipe
		var took struct {
			StepsRun int
			Seconds  float64
		}
		dir := os.DirFS(filepath.Join(store.Dir, e.Name()))
		if readJSON(dir, "recipe.json", &r) != nil || readJSON(dir, "evidence.json", &took) != nil {
			continue // no run, or a damaged one
		}
		work := float64(r.Images.Count * r.Evaluations(took.StepsRun))
		h.list = append(h.list, pastRun{r.TappedNames(), r.Stage, r.Backend, r.Images.Size, work, took.Seconds})
	}
	return h, nil
}

func readJSON(dir fs.FS, name string, to any) error {
	data, err := fs.ReadFile(dir, name)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, to)
}
