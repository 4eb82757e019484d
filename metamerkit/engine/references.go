package engine

import (
	"errors"
	"fmt"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// References opens the reference images of a run again, by the name in its recipe (part of
// a named set, a folder or a file) or from where they were opened before on this machine, of
// which the error names all that were tried. They must be the same pixels.
func References(run *metamer.Run) (*images.Set, error) {
	r := run.Recipe.Images
	each := run.Recipe.Variants
	set, first := reopened(r, each, r.Name)
	if twofold := (*metamer.TwofoldError)(nil); errors.As(first, &twofold) {
		for _, reading := range twofold.Readings {
			if set == nil {
				set, first = reopened(r, each, reading.Write)
			}
		}
	}
	for _, paths := range images.Origins(r.SHA256) {
		if set != nil {
			break
		}
		var err error
		if set, err = reopened(r, each, paths...); err != nil {
			first = fmt.Errorf("%w; from %s: %w", first, named(paths), err)
		}
	}
	if other := (*otherPixelsError)(nil); set == nil && errors.As(first, &other) {
		return nil, fmt.Errorf("engine: the reference images %q of run %s cannot be opened again: %w. Either the files were changed, and --images names the original ones, or the run was made by an earlier version of this program, which decoded JPEG files (the embedded photographs among them) slightly differently: make the run again with the same settings", r.Name, run.ID, first)
	}
	if set == nil {
		return nil, fmt.Errorf("engine: the reference images %q of run %s cannot be opened again; name them (--images): %w", r.Name, run.ID, first)
	}
	set.Name = r.Name
	return set, nil
}

// named is the first of several paths, and how many more there are.
func named(paths []string) string {
	if len(paths) == 1 {
		return paths[0]
	}
	return fmt.Sprintf("%s and %d more", paths[0], len(paths)-1)
}

// reopened opens images that must be those of a recipe, with their variants.
func reopened(r metamer.ImageRef, each *metamer.Variants, spec ...string) (*images.Set, error) {
	var last error
	for _, filter := range images.Filters {
		o := images.Options{Size: r.Size, Filter: filter}
		if r.Of > 0 {
			n := each.Each()
			o.Part = &[2]int{r.First / n, (r.First + r.Count) / n}
		}
		set, err := images.Open(spec, o)
		if err != nil {
			return nil, err
		}
		set = each.Of(set)
		got := set.SHA256()
		if got == r.SHA256 {
			return set, nil
		}
		if bare := set.Unlabelled(); bare.SHA256() == r.SHA256 { // from before folders had labels
			return bare, nil
		}
		last = &otherPixelsError{got, r.SHA256}
	}
	return nil, last
}

// otherPixelsError says that images are not those of a recipe.
type otherPixelsError struct{ got, want string }

func (e *otherPixelsError) Error() string {
	return fmt.Sprintf("the images have the SHA-256 %.12s…, the recipe says %.12s…", e.got, e.want)
}

// references opens each image set once.
type references struct {
	given *images.Set
	sums  map[*images.Set]string
	named map[metamer.ImageRef]*images.Set
}

// of returns the references of a run and their SHA-256.
func (r *references) of(run *metamer.Run) (set *images.Set, sum string, err error) {
	if r.sums == nil {
		r.sums, r.named = map[*images.Set]string{}, map[metamer.ImageRef]*images.Set{}
	}
	want := run.Recipe.Images
	if set = run.Recipe.Variants.Of(r.given); set == nil {
		if set = r.named[want]; set == nil {
			if set, err = References(run); err != nil {
				return nil, "", err
			}
			r.named[want] = set
		}
	}
	if r.sums[set] == "" {
		r.sums[set] = set.SHA256()
	}
	if sum = r.sums[set]; sum != want.SHA256 {
		return nil, "", fmt.Errorf("engine: the images %q are not the references of run %s: they have the SHA-256 %.12s…, its recipe says %.12s… (%d images of %d² named %q)",
			set.Name, run.ID, sum, want.SHA256, want.Count, want.Size, want.Name)
	}
	if per := set.Size * set.Size * 3; len(run.Metamers) != set.Len()*per {
		return nil, "", fmt.Errorf("engine: run %s holds %d metamers of %d², there are %d references", run.ID, len(run.Metamers)/per, set.Size, set.Len())
	}
	return set, sum, nil
}
