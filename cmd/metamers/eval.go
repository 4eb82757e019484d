package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/ensemble-metamers/metamers/metamerkit/claims"
	"github.com/ensemble-metamers/metamers/metamerkit/engine"
	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/external"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/paths"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// evalFlags say what is measured.
type evalFlags struct {
	Measures     []string `help:"Measures: recognizability, success, jsd, cka, rsa, metrics (default: all)."`
	Metrics      []string `help:"Names of image metrics (default: all that need no parameter file; see metamers measure --list)."`
	Observers    []string `help:"Observer models (default: the members, and all available models with the same labels)."`
	Similarities []string `help:"Similarity of two activations in jsd and rsa: pearson, cosine, spearman." default:"pearson"`
	Bins         int      `help:"Number of histogram bins of a similarity distribution." default:"20"`
	Resamples    int      `help:"Number of bootstrap resamples over images." default:"2000"`
	Interval     string   `help:"Bootstrap interval: percentile, basic or bca (default: basic for jsd, cka and rsa, else bca)."`
	Seed         uint64   `help:"Random seed for the bootstrap."`
	Batch        int      `default:"16" help:"Batch size."`
	Memory       int64    `default:"2048" help:"Memory for activations in MiB. Larger activations are recomputed in blocks."`
	Anew         bool     `help:"Evaluate again instead of using cached rows."`
	Null         string   `help:"Null set of the match statistics: a set such as cifar10:1000, a folder, or none (default: the null set of each run, or photos:64)." placeholder:"SET" predictor:"images"`
}

func (f evalFlags) evaluation() (engine.Evaluation, error) {
	null, err := nullName(f.Null)
	return engine.Evaluation{
		Measures: f.Measures, Metrics: f.Metrics, Observers: f.Observers, Similarities: f.Similarities, Bins: f.Bins, Batch: f.Batch, Memory: f.Memory << 20, Anew: f.Anew, NullName: null,
		Bootstrap: metamer.Bootstrap{Resamples: f.Resamples, Method: f.Interval, Seed: f.Seed},
	}, err
}

type evalCmd struct {
	Runs []string `arg:"" optional:"" help:"IDs of runs or prefixes of them (default: all runs of the store)." name:"run"`
	evalFlags
	storeFlag
	Images  imageSpec `arguments:"" help:"Reference images. Needed only when the run does not say where they are." placeholder:"SET"`
	Filter  string    `help:"Resampling filter for image files: bicubic or bilinear." enum:"bicubic,bilinear" default:"bicubic"`
	Compare []string  `help:"Compare every pair of model sets by these per-image measures, such as recognizability or niqe-photos." placeholder:"MEASURE,…"`
	Claims  bool      `help:"Test the paper's claims on the rows, and on those of people by themselves."`
	peopleFlag
	Out string `help:"CSV file to write all rows to, readable by pandas and R." type:"path" placeholder:"ROWS.csv"`

	Metamers   string   `group:"Metamers made by other software" help:"Metamers made by other software: a folder of images, or a .npy, .npz, .safetensors or .pt file (a tensor, a dictionary, or plenoptic's Metamer.save)." type:"path" placeholder:"PATH"`
	References string   `group:"Metamers made by other software" help:"Their references, in the same formats. Not needed if the file of --metamers has them or --images names them." type:"path" placeholder:"PATH"`
	Models     []string `group:"Metamers made by other software" help:"Model set for which they were made."`
	Stage      string   `group:"Metamers made by other software" help:"Stage or layer at which observers compare activations."`
	Layout     string   `group:"Metamers made by other software" help:"Axis order, nhwc or nchw, for arrays whose shape is ambiguous."`
}

func (c *evalCmd) Help() string {
	return `Examples:
  metamers eval                                     # all runs
  metamers eval 3f2a 91bc --measures recognizability,jsd --out rows.csv
  metamers eval 3f2a --observers resnet56,vit --similarities pearson,spearman
  metamers eval 3f2a 91bc --compare recognizability # model sets, p corrected
  metamers eval 3f2a 91bc --people exp --claims     # people and networks
  metamers eval --metamers plenoptic.pt --stage late --observers resnet50,vit_tiny
  metamers eval --metamers met/ --references ref/ --measures recognizability

Members of a run's model set are marked with *. Rows are cached in the run's folder, so a
second call returns at once. docs/evaluation.md defines every measure.`
}

func (c *evalCmd) Run(ctx context.Context, g *globals) error {
	if c.Out != "" {
		if err := paths.CheckFile(c.Out); err != nil {
			return err
		}
	}
	if c.Metamers != "" {
		return c.external(ctx, g)
	}
	if c.References != "" || c.Models != nil || c.Stage != "" || c.Layout != "" {
		return fmt.Errorf("--references, --models, --stage and --layout go with --metamers; runs know theirs")
	}
	store, err := openStore(c.Store)
	if err != nil {
		return err
	}
	q, err := c.evaluation()
	if err != nil {
		return err
	}
	ids := c.Runs
	if len(ids) == 0 {
		if ids, err = store.IDs(); err != nil {
			return err
		}
		slices.Reverse(ids) // oldest first
	}
	if q.Runs, err = loadRuns(store, ids); err != nil {
		return err
	}
	if len(q.Runs) == 0 {
		return fmt.Errorf("no runs in %s: make one with metamers synth", store.Where())
	}
	if c.Images != nil {
		if q.Images, err = openFor(c.Images, c.Filter, q.Runs[0]); err != nil {
			return err
		}
	}
	return c.report(ctx, g, q)
}

// referencesOf opens the references of a run: those that a flag names, which must be the same
// pixels, or what the run says of them.
func referencesOf(run *metamer.Run, names []string, filter string) (*images.Set, error) {
	if names == nil {
		return engine.References(run)
	}
	set, err := openFor(names, filter, run)
	if err != nil {
		return nil, err
	}
	want, got := run.Recipe.Images.SHA256, set.SHA256()
	if bare := set.Unlabelled(); got != want && bare.SHA256() == want { // from before folders had labels
		return bare, nil
	}
	if got != want {
		return nil, fmt.Errorf("--images: %s are not the references of run %s: their SHA-256 is %.12s…, its recipe says %.12s…", set.Name, run.ID, got, want)
	}
	return set, nil
}

// openFor opens the references of a run by a name of the user's, at the run's size.
func openFor(names []string, filter string, run *metamer.Run) (*images.Set, error) {
	return withNotes(images.Open(names, images.Options{Size: run.Recipe.Images.Size, Filter: filter}))
}

// external evaluates metamers made elsewhere.
func (c *evalCmd) external(ctx context.Context, g *globals) error {
	if c.Runs != nil {
		return fmt.Errorf("runs and --metamers cannot be evaluated together")
	}
	s := external.Source{Metamers: c.Metamers, References: c.References, Stage: c.Stage, Layout: c.Layout}
	for _, name := range c.Models {
		if known, err := zoo.Lookup(name); err == nil {
			name = known.Name
		}
		s.Models = append(s.Models, name)
	}
	var err error
	if c.Images != nil {
		if c.References != "" {
			return fmt.Errorf("--images and --references both name the references")
		}
		if s.Images, err = withNotes(images.Open(c.Images, images.Options{Filter: c.Filter})); err != nil {
			return err
		}
	}
	run, refs, notes, err := external.Read(s)
	if err != nil {
		return err
	}
	for _, n := range notes {
		fmt.Fprintln(os.Stderr, n)
	}
	run.Dir = filepath.Join(paths.External(), run.ID)
	q, err := c.evaluation()
	if err != nil {
		return err
	}
	q.Runs, q.Images = []*metamer.Run{run}, refs
	return c.report(ctx, g, q)
}

// evaluate runs an evaluation and shows its progress.
func (g *globals) evaluate(ctx context.Context, q engine.Evaluation) (metamer.Rows, error) {
	e, err := g.engine()
	if err != nil {
		return nil, err
	}
	bar := newBar(g, "evaluation", nil)
	defer bar.clear()
	bar.units(metamer.Progress{What: phase("models")})
	q.Progress, q.Warn = bar.units, bar.warn
	return e.Evaluate(ctx, q)
}

// report runs an evaluation, saves its rows and prints a table of them.
func (c *evalCmd) report(ctx context.Context, g *globals, q engine.Evaluation) error {
	boot := evaluate.Bootstrap(q.Bootstrap)
	human, err := c.peopleFlag.rows(boot)
	if err != nil {
		return err
	}
	rows, err := g.evaluate(ctx, q)
	if err != nil {
		return err
	}
	if human != nil {
		if rows, err = claims.WithPeople(rows, human); err != nil {
			return err
		}
	}
	if c.Out != "" {
		if err := metamer.SaveRows(c.Out, rows); err != nil {
			return err
		}
	}
	var list, byPeople []claims.Claim
	if c.Claims {
		if list, byPeople, err = testClaims(rows, boot); err != nil {
			return err
		}
	}
	var compared []claims.Comparison
	for _, m := range c.Compare {
		more, err := claims.Compare(rows, m, boot)
		if err != nil {
			return err
		}
		compared = append(compared, more...)
	}
	if g.JSON {
		return rowsJSON(os.Stdout, rows, list, byPeople, compared)
	}
	if err := rowsTable(os.Stdout, rows); err != nil {
		return err
	}
	if list != nil {
		fmt.Println()
	}
	for _, l := range list {
		fmt.Println(l)
	}
	if human != nil {
		printPeople(rows, byPeople)
	}
	if compared != nil {
		fmt.Println()
	}
	for _, l := range compared {
		fmt.Println(l)
	}
	if c.Out != "" {
		fmt.Printf("\n%d rows, single images included: %s\n", len(rows), c.Out)
	}
	return nil
}

// testClaims tests the paper's claims with the cards of the models in the rows: by networks,
// and by people where they are among the observers.
func testClaims(rows metamer.Rows, b evaluate.Bootstrap) (list, byPeople []claims.Claim, err error) {
	cards, err := allCards()
	if err != nil {
		return nil, nil, err
	}
	o := claims.Options{Bootstrap: b}
	if list, err = claims.Of(rows, cards, o); err != nil {
		return nil, nil, err
	}
	byPeople, err = claims.OfPeople(rows, cards, o)
	return list, byPeople, err
}
