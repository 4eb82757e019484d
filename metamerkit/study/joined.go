package study

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// source is a run as its rows know it.
type source struct {
	run    string
	recipe metamer.Recipe // without models; zero: the rows do not say how it was made
	known  bool
	models int
	images int // that its rows are of; 0: there are no rows of single images
}

// sources lists the runs that rows are of, in their order.
func (a *Again) sources(order []string, made map[string]*metamer.Made) (out []source) {
	for _, id := range order {
		s := source{run: id}
		if m := made[id]; m != nil {
			if rec, err := m.Recipe(); err == nil { // else rows of someone's own
				s.recipe, s.known = rec, true
			}
		}
		out = append(out, s)
	}
	for _, row := range a.Rows {
		if i := slices.Index(order, row.Run); i >= 0 && row.Set != "" {
			out[i].images = max(out[i].images, row.Image+1)
			out[i].models = strings.Count(row.Set, "+") + 1
		}
	}
	return out
}

// SameImages reports runs of different images, which cannot be shown in one curve.
func SameImages(runs ...*metamer.Run) error {
	var sources []source
	for _, r := range runs {
		sources = append(sources, source{run: r.ID, recipe: r.Recipe, known: true, images: r.Recipe.Images.Count})
	}
	if len(sources) == 0 {
		return nil
	}
	return oneImageSet(sources)
}

// oneImageSet reports runs that were made of different images: values over them do not
// belong in one curve.
func oneImageSet(sources []source) error {
	first := sources[0]
	for _, s := range sources[1:] {
		var differ []string
		a, b := first.recipe.Images, s.recipe.Images
		if first.known && s.known {
			if a.Size != b.Size {
				differ = append(differ, "size")
			}
			if a.Count != b.Count {
				differ = append(differ, "number of images")
			}
			if a.SHA256 != b.SHA256 {
				differ = append(differ, "pixels")
			}
		} else if first.images != s.images && first.images > 0 && s.images > 0 {
			differ = append(differ, "number of images")
		}
		if differ != nil {
			return fmt.Errorf("study: runs %s and %s cannot be shown in one curve, their images differ in %s: %s; %s",
				first.run, s.run, english.WordSeries(differ, "and"), first.describeImages(), s.describeImages())
		}
	}
	return nil
}

func (s source) describeImages() string {
	r := s.recipe.Images
	if !s.known {
		return english.Plural(s.images, "image", "")
	}
	text := fmt.Sprintf("%s (%s of %d²", r.Name, english.Plural(r.Count, "image", ""), r.Size)
	if len(r.SHA256) >= 12 {
		text += ", SHA-256 " + r.SHA256[:12] + "…"
	}
	return text + ")"
}

// unlike names the settings in which runs differ that are shown together, with the
// values and how many runs have each; "" if there are none.
func unlike(sources []source) string {
	var fields []string
	values := map[string][]string{} // by field, one a source that is known
	known := 0
	for _, s := range sources {
		if !s.known {
			continue
		}
		for field, v := range s.settings() {
			if !slices.Contains(fields, field) {
				fields = append(fields, field)
			}
			for len(values[field]) < known {
				values[field] = append(values[field], "–")
			}
			values[field] = append(values[field], v)
		}
		known++
		for _, f := range fields {
			for len(values[f]) < known {
				values[f] = append(values[f], "–")
			}
		}
	}
	slices.Sort(fields)
	var out []string
	for _, f := range fields {
		var distinct, said []string
		count := map[string]int{}
		for _, v := range values[f] {
			if count[v]++; count[v] == 1 {
				distinct = append(distinct, v)
			}
		}
		if len(distinct) < 2 {
			continue
		}
		for _, v := range distinct {
			said = append(said, fmt.Sprintf("%s in %s", v, english.Plural(count[v], "run", "")))
		}
		out = append(out, f+" ("+strings.Join(said, ", ")+")")
	}
	return strings.Join(out, "; ")
}

// contrast names the settings in which two runs of one set at one stage differ.
func contrast(a, b source) string {
	if !a.known || !b.known {
		return "settings that the rows do not hold"
	}
	x, y := a.settings(), b.settings()
	delete(x, "evaluations") // follow from the steps
	delete(y, "evaluations")
	x["steps"], y["steps"] = fmt.Sprint(a.recipe.Steps), fmt.Sprint(b.recipe.Steps)
	x["seed"], y["seed"] = fmt.Sprint(a.recipe.Seed), fmt.Sprint(b.recipe.Seed)
	names := slices.Sorted(maps.Keys(x))
	for _, name := range slices.Sorted(maps.Keys(y)) {
		names = once(names, name)
	}
	var out []string
	for _, name := range names {
		if x[name] != y[name] {
			out = append(out, fmt.Sprintf("%s (%s and %s)", name, cmp.Or(x[name], "none"), cmp.Or(y[name], "none")))
		}
	}
	if out == nil {
		return "no setting, but in what computed them"
	}
	return english.WordSeries(out, "and")
}

// settings are those of the recipe by name, without images and what computed it. Steps
// stand as model gradient evaluations, in which schedules are compared.
func (s source) settings() map[string]string {
	r := s.recipe
	r.Models = make([]metamer.ModelRef, s.models)
	evaluations := r.Evaluations(r.Steps)
	if r.Against != nil { // by their names
		all := strings.Join(r.Against.Names(), ", ")
		against := *r.Against
		against.Models, r.Against = []metamer.ModelRef{{Name: all}}, &against
	}
	r.Models, r.Stage, r.Backend, r.Versions, r.Images = nil, "", "", nil, metamer.ImageRef{}
	text, err := json.Marshal(r)
	if err != nil {
		panic("study: " + err.Error()) // it was read from JSON
	}
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		panic("study: " + err.Error()) // it was just written
	}
	for _, name := range []string{"models", "stage", "backend", "versions", "images", "steps", "batch"} {
		delete(all, name)
	}
	out := map[string]string{"evaluations": fmt.Sprint(evaluations)}
	flatten("", all, out)
	return out
}

// flatten puts the fields of nested objects under names with blanks: optimizer name.
func flatten(prefix string, v map[string]any, out map[string]string) {
	for k, x := range v {
		switch x := x.(type) {
		case map[string]any:
			flatten(prefix+k+" ", x, out)
		case nil:
		default:
			out[prefix+k] = fmt.Sprint(x)
		}
	}
}
