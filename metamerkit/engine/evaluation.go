package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/evaluate"
	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
	"github.com/ensemble-metamers/metamers/metamerkit/synth"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
)

// Evaluation is what Evaluate is asked.
type Evaluation = api.Evaluation

// Measures are the groups of measures that Evaluate takes.
var Measures = api.Measures

// portrait is a run with its references.
type portrait struct {
	run  *metamer.Run
	refs *images.Set
	sum  string // SHA-256 of the references
	made *metamer.Made
	null *nullSet // nil where nothing is tested
}

// row begins the rows of a run.
func (p portrait) row() metamer.Row {
	return metamer.Row{Run: p.run.ID, Set: setName(p.run.Recipe), Stage: p.run.Recipe.Stage, Made: p.made}
}

// references begins the rows of a run's references.
func (p portrait) references() metamer.Row {
	return metamer.Row{Made: &metamer.Made{Images: p.made.Images, Versions: p.made.Versions}}
}

// unit is one run evaluated by one observer. Until the observer is needed (load) it is
// known by card and layer only.
type unit struct {
	portrait
	observer synth.TappedModel
	member   bool
	// noLayer says why there are no activations to compare, "" if there are.
	noLayer string
	weights string // SHA-256 of the observer's
}

// Evaluate measures runs as observers see them. For each measure there is a row an
// image where it has a value for one, and a row over all images with its interval;
// behind the observers' rows come those of "members" and "non-members", the means
// over the observers of each kind. What a measure cannot say is a row with NaN and
// the reason. Image metrics have no observer; those of the references come first, in
// rows without run, set and stage.
//
// Rows are kept beside the runs, so that asking again is at once. Cancelling ctx ends
// the work within a batch; what was finished is kept.
func (e *Engine) Evaluate(ctx context.Context, q Evaluation) (metamer.Rows, error) {
	q = q.WithDefaults()
	q.Progress = e.stamped(q.Progress)
	if err := q.Validate(); err != nil {
		return nil, err
	}
	if err := evaluate.Bootstrap(q.Bootstrap).Validate(); err != nil {
		return nil, err
	}
	runs, err := e.portraits(q, e.Computes())
	if err != nil {
		return nil, err
	}
	var units []unit
	if len(observed(q.Measures)) > 0 {
		if units, err = e.units(q, runs); err != nil {
			return nil, err
		}
	}
	total := len(units)
	if pictured(q) {
		total += len(runs)
	}
	stopped := func(err error, done int) error {
		if ctx.Err() != nil {
			return fmt.Errorf("engine: evaluation stopped after %d of %d; the same command goes on from there: %w", done, total, ctx.Err())
		}
		return err
	}
	// Units with the same references, observer and layer share what is read of them.
	order := make([]int, len(units))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return units[a].compare(units[b]) })
	results := make([]metamer.Rows, len(units))
	defer func() { e.readings.Trim(e.keptReadings(q), 0) }()
	for done, i := range order {
		u := &units[i]
		q.Progress(metamer.Progress{Phase: metamer.Evaluating, What: setName(u.run.Recipe) + " " + u.run.Recipe.Stage + " by " + u.observer.Card.Name, Step: done, Steps: total})
		if results[i], err = e.evaluateUnit(ctx, q, u); err != nil {
			return nil, stopped(err, done)
		}
	}
	var rows metamer.Rows
	for k, p := range runs {
		first := len(rows)
		var by []metamer.Rows
		var keys []string // of by
		for i, u := range units {
			if u.run == p.run {
				by = append(by, results[i])
				for _, m := range observed(q.Measures) {
					keys = append(keys, e.rowKey(q, u, m).hash())
				}
				rows = append(rows, results[i]...)
			}
		}
		rows = append(rows, e.means(q, p, keys, by)...)
		if slices.Contains(q.Measures, "success") {
			others, err := apart(q, p)
			if err != nil {
				return nil, err
			}
			distances, err := e.spread(ctx, q, p)
			if err != nil {
				return nil, err
			}
			rows = append(append(rows, others...), distances...)
		}
		if !pictured(q) {
			withNames(rows[first:], p.refs)
			continue
		}
		q.Progress(metamer.Progress{Phase: metamer.Evaluating, What: setName(p.run.Recipe) + " " + p.run.Recipe.Stage + ", image metrics", Step: len(units) + k, Steps: total})
		mets, own, err := e.imageMetrics(ctx, q, p)
		if err != nil {
			return nil, stopped(err, len(units)+k)
		}
		rows = append(rows, mets...)
		withNames(rows[first:], p.refs)
		switch {
		case k == 0:
			rows = append(slices.Clone(own), rows...)
			withNames(rows[:len(own)], p.refs)
		case p.sum != runs[0].sum:
			q.Warn("engine: the runs have several image sets: rows of references are those of " + runs[0].refs.Name + " only")
		}
	}
	q.Progress(metamer.Progress{Phase: metamer.Evaluating, Step: total, Steps: total})
	return rows, nil
}

// withNames gives the rows of single images the names that these have in the set. What
// CSV cannot carry in a file's name is replaced.
func withNames(rows metamer.Rows, set *images.Set) {
	for i, r := range rows {
		if r.Image >= 0 && r.Image < len(set.Names) {
			rows[i].Name = strings.ReplaceAll(strings.ToValidUTF8(set.Names[r.Image], "\ufffd"), "\r", "\ufffd")
		}
	}
}

// observed are the measures that need an observer.
func observed(measures []string) (out []string) {
	for _, m := range measures {
		if m != "metrics" {
			out = append(out, m)
		}
	}
	return out
}

// pictured reports whether image metrics are asked for.
func pictured(q Evaluation) bool { return slices.Contains(q.Measures, "metrics") }

// setName is the name of a model set in rows.
func setName(r metamer.Recipe) string { return strings.Join(r.ModelNames(), "+") }

// compare orders units so that those with the same references, observer and layer follow
// each other.
func (u unit) compare(o unit) int {
	return cmp.Or(cmp.Compare(u.sum, o.sum), cmp.Compare(u.refs.Size, o.refs.Size), cmp.Compare(u.observer.Card.Name, o.observer.Card.Name), cmp.Compare(u.observer.Layer, o.observer.Layer))
}

// portraits opens the references and the null set of every run.
func (e *Engine) portraits(q Evaluation, computed string) ([]portrait, error) {
	var out []portrait
	open := references{given: q.Images}
	for _, run := range q.Runs {
		refs, sum, err := open.of(run)
		if err != nil {
			return nil, err
		}
		var null *nullSet
		of := *run // what its rows say: the null set is the one that they are tested against
		if slices.Contains(q.Measures, "success") {
			if null, err = e.nullOf(q, run); err != nil {
				return nil, err
			}
			of.Recipe.NullPairs, of.Recipe.Null = 0, null.NullRef
		}
		made := of.Made()
		if made.Versions == "" { // made elsewhere: what measures
			made.Versions = computed
		}
		out = append(out, portrait{run, refs, sum, made, null})
	}
	return out, nil
}

// units pairs every run with every observer.
func (e *Engine) units(q Evaluation, runs []portrait) ([]unit, error) {
	var out []unit
	for _, p := range runs {
		run := p.run
		names, err := observers(q.Observers, run)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			u := unit{portrait: p, member: slices.Contains(run.Recipe.ModelNames(), name)}
			id, err := e.identity(name, run.Recipe.Stage, "")
			if err != nil {
				return nil, err
			}
			u.weights, u.observer = id.sha256, synth.TappedModel{Card: id.card, Layer: id.layer}
			if run.Recipe.Stage == "" {
				u.noLayer = "no stage is known of these metamers: name one"
			}
			out = append(out, u)
		}
	}
	return out, nil
}

// load opens the observer of a unit. It reports whether the observer turned out to lack
// the layer.
func (e *Engine) load(u *unit) (lacks bool, err error) {
	if u.observer.Net != nil {
		return false, nil
	}
	name := u.observer.Card.Name
	c, net, err := e.Model(name)
	if err != nil {
		return false, err
	}
	u.observer, u.weights = synth.TappedModel{Card: c, Net: net, Layer: u.observer.Layer}, net.SHA256
	if u.noLayer != "" {
		return false, nil
	}
	var unknown *metamer.UnknownError
	switch s, err := e.tappedModel(name, u.run.Recipe.Stage, ""); {
	case err == nil:
		u.observer = s
	case errors.As(err, &unknown):
		u.observer.Layer, u.noLayer = "", fmt.Sprintf("%s has no layer %s", name, u.run.Recipe.Stage)
		return true, nil
	default:
		return false, err
	}
	return false, nil
}

// observers returns the full names of the models that evaluate a run.
func observers(wanted []string, run *metamer.Run) ([]string, error) {
	var out []string
	add := func(n string) {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	if wanted != nil {
		for _, n := range wanted {
			c, err := zoo.Lookup(n)
			if err != nil {
				return nil, fmt.Errorf("engine: observer: %w", err)
			}
			add(c.Name)
		}
		return out, nil
	}
	labels := ""
	for _, n := range run.Recipe.ModelNames() {
		c, err := zoo.Lookup(n)
		if err != nil {
			continue // metamers made elsewhere may name models that are not here
		}
		add(c.Name)
		if labels == "" {
			labels = c.Labels
		}
	}
	for _, n := range zoo.Names() {
		c, err := zoo.Lookup(n)
		if err != nil {
			return nil, err
		}
		if _, err := Locate(c); err == nil && (labels == "" || c.Labels == labels) {
			add(c.Name)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("engine: no observer: no model with the labels %q is here", labels)
	}
	return out, nil
}
