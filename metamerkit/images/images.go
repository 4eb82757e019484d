// Package images reads image sets: CIFAR-10 and folders or lists of image files. Pixels are
// float32 in [0,1], RGB, [N,Size,Size,3].
package images

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Set holds images of one size: pixels [N,Size,Size,3] in [0,1] with names and labels.
type Set = metamer.ImageSet

// Options says how files become images. The zero value works.
type Options struct {
	Size   int    // pixels a side; 0: 32 for cifar10, 224 for files
	Filter string // bicubic (default) | bilinear
	// Crop is the share of the resized image that the centre crop keeps (of files; see
	// Transform); 0: 1, all of the shorter side.
	Crop float64
	// Folder is where relative paths begin; "": the working directory. The set is called as
	// its paths are written.
	Folder string
	// Part is the only part of the set that is wanted: from its first number up to its
	// second. Files outside it are not decoded. The set keeps the whole's name. nil:
	// the whole.
	Part *[2]int
}

// Open reads an image set: "cifar10" (the test images), "cifar10:16" (the first 16),
// "cifar10:100-116" (100 to 115), "cifar10:train" or "cifar10:train:16" (training images),
// a registered set (such as "photos:16" if metamerkit/images/photos is imported), or
// folders and files. Files have labels if their folder has a LabelsFile. The path "-" reads
// one file from Stdin. The set's Notes name files that were skipped or rotated. Errors name
// the file or set.
func Open(spec []string, o Options) (*Set, error) {
	if o.Part == nil {
		s, _, err := open(spec, o)
		return s, err
	}
	part := *o.Part
	s, n, err := open(spec, o)
	if err != nil {
		return nil, err
	}
	if n != s.Len() { // open cut it already
		s.First, s.Of = part[0], n
		return s, nil
	}
	return s.Part(part[0], part[1])
}

// Count returns the number of images of a set without decoding files. The errors are those
// of Open.
func Count(spec []string, o Options) (int, error) {
	if IsNamed(spec...) {
		s, err := Open(spec, o)
		if err != nil {
			return 0, err
		}
		return s.Len(), nil
	}
	if len(spec) == 0 {
		return 0, fmt.Errorf("images: no images given")
	}
	files, err := expand(full(spec, o.Folder), nil)
	return len(files), err
}

// open opens a set and says how many images the whole has; of files only those of
// o.Part are decoded.
func open(spec []string, o Options) (*Set, int, error) {
	s, err := named(spec, &o)
	if err != nil {
		return nil, 0, err
	}
	if s != nil {
		return s, s.Len(), nil
	}
	s = &Set{Name: Join(spec), Size: o.Size}
	files, err := expand(full(spec, o.Folder), func(note string) { s.Notes = append(s.Notes, note) })
	if err != nil {
		return nil, 0, err
	}
	n := len(files)
	for _, p := range full(spec, o.Folder) {
		if p == "-" { // cannot be read again
			s.Name, s.Paths = standardInput, nil
			break
		}
		if p, err = filepath.Abs(p); err != nil {
			return nil, 0, fmt.Errorf("images: %w", err)
		}
		s.Paths = append(s.Paths, p)
	}
	if n > 1 && len(spec) > 1 {
		s.Name = fmt.Sprintf("%d files", n)
	}
	if o.Part != nil {
		if err := metamer.CheckPart(s.Name, o.Part[0], o.Part[1], n); err != nil {
			return nil, 0, err
		}
		files = files[o.Part[0]:o.Part[1]]
	}
	var turned []string
	for _, f := range files {
		data, err := load(f)
		if err != nil {
			return nil, 0, err
		}
		p, err := Transform{o.Size, o.Crop, o.Filter}.decode(f, data)
		if err != nil {
			return nil, 0, err
		}
		if isTurned(data) {
			turned = append(turned, f)
		}
		name := strings.TrimSuffix(filepath.Base(f), filepath.Ext(f))
		if f == "-" {
			name = standardInput
		}
		s.Names = append(s.Names, name)
		s.Labels = append(s.Labels, -1)
		s.Pixels = append(s.Pixels, p...)
	}
	if note := TurnedNote(turned); note != "" {
		s.Notes = append(s.Notes, note)
	}
	return s, n, label(s, files)
}

// named opens CIFAR-10 or a registered set; nil: spec names files. It fills in the
// default size.
func named(spec []string, o *Options) (*Set, error) {
	if len(spec) == 0 {
		return nil, fmt.Errorf("images: no images given: expected %s", expected())
	}
	if IsNamed(spec...) {
		if err := twofold(spec[0], o.Folder); err != nil {
			return nil, err
		}
	}
	for _, s := range spec {
		if _, err := os.Stat(within(o.Folder, s)); err != nil && len(spec) > 1 && IsNamed(s) {
			return nil, fmt.Errorf("images: %s is an image set, which cannot be joined with other images (%s): expected one set, or folders and files", s, Join(spec))
		}
	}
	if name, rest, _ := strings.Cut(spec[0], ":"); len(spec) == 1 && name == "cifar10" {
		if o.Size != 0 && o.Size != 32 {
			return nil, fmt.Errorf("images: CIFAR-10 images are 32 pixels a side, expected size 32, not %d; models resize images themselves", o.Size)
		}
		return openCIFAR(rest)
	}
	if o.Size == 0 {
		o.Size = 224
	}
	if o.Size < 1 || o.Size > 4096 {
		return nil, fmt.Errorf("images: size %d, expected 1 to 4096 pixels", o.Size)
	}
	if name, rest, _ := strings.Cut(spec[0], ":"); len(spec) == 1 {
		if open := source(name); open != nil {
			s, err := open(rest, *o)
			if err != nil {
				return nil, fmt.Errorf("images: %w", err)
			}
			return s, nil
		}
	}
	return nil, nil
}
