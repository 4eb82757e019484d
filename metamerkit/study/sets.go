package study

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/api"
	"github.com/ensemble-metamers/metamers/metamerkit/figures"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// grouped puts groups in the place of their names, which stand alone in a set.
func (p *Plan) grouped() error {
	used := map[string]bool{}
	p.Sets = slices.Clone(p.Sets)
	for i, set := range p.Sets {
		if len(set) != 1 {
			continue
		}
		name, single := strings.CutPrefix(set[0], api.Alone)
		name, isGroup := strings.CutPrefix(name, "group:")
		if group, ok := p.Groups[name]; ok {
			p.Sets[i], used[name] = slices.Clone(group), true
			if !isGroup && !slices.Equal(group, []string{name}) {
				p.GroupNames = append(p.GroupNames, name)
			}
		} else if isGroup {
			return metamer.Unknown("group", name, slices.Sorted(maps.Keys(p.Groups)))
		} else if single && !pattern(name) {
			p.Sets[i] = []string{name}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Groups)) {
		group := p.Groups[name]
		if !used[name] && !slices.ContainsFunc(p.Sets, func(set []string) bool { return slices.Equal(set, group) }) {
			return fmt.Errorf("groups: %s is in no set", name)
		}
	}
	return nil
}

func pattern(name string) bool { return strings.Contains(name, "*") }

// matches are the models of the catalogue that a pattern fits, in its order.
func matches(p string, models []api.Model) (out []string, err error) {
	glob, kind := p, ""
	if k, rest, ok := strings.Cut(p, ":"); ok {
		glob, kind = rest, k
	}
	for _, m := range models {
		ok, err := path.Match(glob, m.Card.Name)
		if err != nil {
			return nil, fmt.Errorf("the pattern %s: %w", p, err)
		}
		if ok && (kind == "" || kind == m.Card.Kind) {
			out = append(out, m.Card.Name)
		}
	}
	if out == nil {
		return nil, fmt.Errorf("no model of the catalogue fits the pattern %s", p)
	}
	return out, nil
}

// catalogue finds models by name, alias or pattern.
type catalogue struct {
	models []api.Model
	by     map[string]api.Model
	names  []string
}

func newCatalogue(models []api.Model) *catalogue {
	c := &catalogue{models: models, by: map[string]api.Model{}}
	for _, m := range models {
		for _, n := range append([]string{m.Card.Name}, m.Card.Aliases...) {
			c.by[n] = m
			c.names = append(c.names, n)
		}
	}
	return c
}

// full puts names in the place of aliases and patterns. lenient leaves out patterns
// that no model fits.
func (c *catalogue) full(names []string, lenient bool) (out []string, err error) {
	for _, n := range names {
		n = strings.TrimPrefix(n, "model:")
		found := []string{n}
		if pattern(n) {
			if found, err = matches(n, c.models); err != nil && !lenient {
				return nil, err
			}
		}
		for _, f := range found {
			m, ok := c.by[f]
			if !ok {
				return nil, metamer.Unknown("model", f, c.names)
			}
			if pattern(n) && slices.Contains(out, m.Card.Name) {
				continue
			}
			out = append(out, m.Card.Name)
		}
	}
	return out, nil
}

// resolve puts full model names into sets, groups and observers. Observers that are
// not named are all models that are here and know the same classes as the first. lenient
// leaves out what patterns give nothing for, or give twice.
func (p *Plan) resolve(c *catalogue, lenient bool) (err error) {
	if err := p.grouped(); err != nil { // of a plan that was not read from YAML
		return err
	}
	for _, name := range p.GroupNames {
		if m, ok := c.by[name]; ok {
			return &metamer.TwofoldError{Name: name, Readings: [2]metamer.Reading{{What: "the model " + m.Card.Name, Write: "model:" + name}, {What: "a group of the plan", Write: "group:" + name}}}
		}
	}
	var sets ModelSets
	for _, set := range p.Sets {
		single := len(set) == 1 && strings.HasPrefix(set[0], api.Alone)
		names := set
		if single {
			names = []string{strings.TrimPrefix(set[0], api.Alone)}
		}
		full, err := c.full(names, lenient)
		if err != nil {
			return err
		}
		if !single {
			sets = append(sets, full)
			continue
		}
		for _, n := range full {
			sets = append(sets, []string{n})
		}
	}
	seen := map[string]bool{}
	p.Sets = nil
	for _, set := range sets {
		name := figures.SetName(set)
		if seen[name] || len(set) == 0 {
			if lenient {
				continue
			}
			return fmt.Errorf("the set %s appears twice", name)
		}
		seen[name] = true
		p.Sets = append(p.Sets, set)
	}
	if p.Sets == nil {
		return fmt.Errorf("none of the models of its sets is known")
	}
	groups := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(p.Groups)) {
		group := p.Groups[name]
		if groups[name], err = c.full(group, lenient); err != nil {
			return err
		}
	}
	p.Groups = groups
	if a := p.Settings.Against; a != nil {
		names, err := c.full(a.Names(), lenient)
		if err != nil {
			return fmt.Errorf("settings: against: %w", err)
		}
		against := *a
		against.Models = metamer.Refs(names...)
		p.Settings.Against = &against
		for _, set := range p.Sets {
			if i := slices.IndexFunc(names, func(n string) bool { return slices.Contains(set, n) }); i >= 0 {
				return fmt.Errorf("settings: against: model %s is in the set %s too", names[i], p.Label(set))
			}
		}
	}
	if err := p.paired(); err != nil {
		return err
	}
	if p.Observers == nil {
		labels := c.by[p.Sets[0][0]].Card.Labels
		for _, m := range c.models {
			if m.Missing == "" && m.Card.Classes > 0 && m.Card.Labels == labels {
				p.Observers = append(p.Observers, m.Card.Name)
			}
		}
	}
	p.Observers, err = c.full(p.Observers, lenient)
	return err
}

// MissingModel is a model of a plan whose weights are not on this machine.
type MissingModel struct {
	Model string
	Why   string   // what to do to have it
	Pull  bool     // metamers models pull brings it
	Bytes int64    // of its parameters in float32: its file has at least about as many; 0: not known
	Sets  []string // the sets it is in; none: an observer only
}

// missing lists the models of a resolved plan that are not here.
func (p Plan) missing(c *catalogue) (out []MissingModel) {
	note := func(name, set string) {
		m := c.by[name]
		if m.Missing == "" {
			return
		}
		i := slices.IndexFunc(out, func(l MissingModel) bool { return l.Model == m.Card.Name })
		if i < 0 {
			i = len(out)
			out = append(out, MissingModel{Model: m.Card.Name, Why: m.Missing, Pull: m.Card.Weights.Pullable(), Bytes: 4 * int64(m.Card.Parameters)})
		}
		if set != "" {
			out[i].Sets = append(out[i].Sets, set)
		}
	}
	for _, set := range p.Sets {
		for _, m := range set {
			note(m, p.Label(set))
		}
	}
	for _, m := range p.Observers {
		note(m, "")
	}
	for _, m := range p.Settings.Against.Names() {
		note(m, "all, which are against it")
	}
	return out
}

// Resolved returns the plan with its defaults and the full names of models in the place
// of aliases, patterns and the names of groups, and the models that are not here.
// available leaves out what these, or patterns that no model fits, are in.
func (p Plan) Resolved(ctx context.Context, e api.Engine, available bool) (Plan, []MissingModel, error) {
	models, err := e.Models(ctx)
	if err != nil {
		return p, nil, err
	}
	return p.resolved(models, available)
}

// Pinned is the plan with its defaults, full model names and the observers that the
// models at hand stand for, so that it means the same on every machine. Models that are
// not here are a *MissingModelsError, unless the work is done elsewhere, where other weights
// may be.
func (p Plan) Pinned(models []api.Model, elsewhere bool) (Plan, error) {
	p, missing, err := p.resolved(models, false)
	if err == nil && p.Settings.Batch == metamer.AutoBatch {
		return p, fmt.Errorf("study: plan %s: the batch auto is each machine's own: expected a number of images", p.Name)
	}
	if err == nil && missing != nil && !elsewhere {
		err = &MissingModelsError{p.Name, missing}
	}
	return p, err
}

func (p Plan) resolved(models []api.Model, available bool) (Plan, []MissingModel, error) {
	p = p.WithDefaults()
	if err := p.Validate(); err != nil {
		return p, nil, fmt.Errorf("study: plan %s: %w", p.Name, err)
	}
	c := newCatalogue(models)
	if err := p.resolve(c, available); err != nil {
		return p, nil, fmt.Errorf("study: plan %s: %w", p.Name, err)
	}
	missing := p.missing(c)
	if available {
		p.without(missing)
	}
	return p, missing, nil
}

// Label is the name of a set's group (the first by name of several), else its members.
func (p Plan) Label(set []string) string {
	for _, name := range slices.Sorted(maps.Keys(p.Groups)) {
		if slices.Equal(p.Groups[name], set) {
			return name
		}
	}
	return strings.Join(set, " + ")
}

// without leaves out the sets and observers that need a model that is not here.
func (p *Plan) without(missing []MissingModel) {
	gone := func(m string) bool {
		return slices.ContainsFunc(missing, func(l MissingModel) bool { return l.Model == m })
	}
	p.Sets = slices.DeleteFunc(p.Sets, func(set []string) bool {
		return slices.ContainsFunc(set, gone) || slices.ContainsFunc(p.Settings.Against.Names(), gone)
	})
	p.Observers = slices.DeleteFunc(p.Observers, gone)
}

// names are the groups' names by the set that each is, as figures show them.
func (p Plan) names() map[string]string {
	out := map[string]string{}
	for name, group := range p.Groups {
		out[figures.SetName(group)] = name
	}
	return out
}
