package external

import (
	"fmt"
	"os"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

// pair reads metamers and references, each a folder or a file.
func pair(s Source) (met, ref stack, notes []string, err error) {
	same := s.References == "" || s.References == s.Metamers
	var file map[string]*weights.Tensor
	read := func(path, what string, keys []string, size int) (stack, error) {
		if isImages(path) {
			out, more, err := folder(path, size)
			notes = append(notes, more...)
			return out, err
		}
		if file == nil || !same {
			if file, err = weights.OpenArrays(path); err != nil {
				return stack{}, fmt.Errorf("external: %w", err)
			}
		}
		out, more, err := arrays(path, s.Layout, what, keys, file)
		notes = append(notes, more...)
		return out, err
	}
	if met, err = read(s.Metamers, "metamers", metamerKeys, 0); err != nil {
		return met, ref, nil, err
	}
	if s.Images != nil {
		ref = stack{path: s.Images.Name, n: s.Images.Len(), size: s.Images.Size, names: s.Images.Names}
		if met.names != nil && met.n == ref.n {
			err = match(&met, ref, true, &notes)
		}
		return met, ref, notes, err
	}
	if same {
		if isImages(s.Metamers) || len(file) < 2 {
			return met, ref, nil, fmt.Errorf("external: %s has metamers but no references: give their path", s.Metamers)
		}
		s.References = s.Metamers
	}
	if ref, err = read(s.References, "references", referenceKeys, met.size); err != nil {
		return met, ref, nil, err
	}
	if met.names != nil && ref.names != nil && met.n == ref.n {
		err = match(&met, ref, false, &notes)
	}
	return met, ref, notes, err
}

// isImages reports whether path is a folder or an image file.
func isImages(path string) bool {
	st, err := os.Stat(path)
	return err == nil && (st.IsDir() || images.IsImage(path))
}

// folder reads the images of a folder, or one image. size 0: their own, which must
// be square and all the same; else they are resized and cropped to it.
func folder(path string, size int) (stack, []string, error) {
	if size == 0 {
		files, err := images.Files(nil, path)
		if err != nil {
			return stack{}, nil, fmt.Errorf("external: %w", err)
		}
		for _, name := range files {
			w, h, err := images.Size(name)
			if err != nil {
				return stack{}, nil, fmt.Errorf("external: %w", err)
			}
			if size == 0 {
				size = w
			}
			if w != size || h != size {
				return stack{}, nil, fmt.Errorf("external: the metamer %s has %d×%d pixels, expected %d×%d: metamers are not resized", name, w, h, size, size)
			}
		}
	}
	set, err := images.Open([]string{path}, images.Options{Size: size})
	if err != nil {
		return stack{}, nil, fmt.Errorf("external: %w", err)
	}
	s := stack{path: path, n: set.Len(), size: set.Size, pixels: set.Pixels, names: set.Names, labels: set.Labels, classes: set.ClassNames}
	s.byNumber()
	return s, set.Notes, nil
}
