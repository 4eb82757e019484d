// Package photos has the image sets that are embedded in the program: "photos", 171
// photographs on white (testdata/photos; GPL-2), and "scenes", 24 photographs of the Kodak
// suite (testdata/scenes), with CIFAR-10 and ImageNet labels where they have one. Importing
// it registers the sets with package images. It adds about 2.5 MB to a program.
package photos

import (
	"bytes"
	"embed"
	"encoding/csv"
	"fmt"
	"strconv"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/testdata/photos"
	"github.com/ensemble-metamers/metamers/testdata/scenes"
)

// sets are the folders that hold labels.tsv and the photographs.
var sets = map[string]embed.FS{"photos": photos.Files, "scenes": scenes.Files}

func init() {
	for name := range sets {
		images.Register(name, func(part string, o images.Options) (*images.Set, error) { return open(name, part, o) })
	}
}

// Photo is a row of labels.tsv.
type Photo struct {
	Name, Category string
	CIFAR          string // class name, "" for none
	ImageNet       int    // class index of ILSVRC-2012, -1 for none
	ImageNetName   string
	Source         string // file in the Debian package or the Kodak suite
}

// List returns the photographs of a set ("photos" or "scenes") in its order.
func List(set string) ([]Photo, error) {
	text, err := sets[set].ReadFile("labels.tsv")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", set, err)
	}
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma, r.FieldsPerRecord = '\t', 6
	rows, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: labels.tsv: %w", set, err)
	}
	var out []Photo
	for _, row := range rows[1:] {
		p := Photo{Name: row[0], Category: row[1], CIFAR: none(row[2]), ImageNet: -1, ImageNetName: none(row[4]), Source: row[5]}
		if s := none(row[3]); s != "" {
			if p.ImageNet, err = strconv.Atoi(s); err != nil {
				return nil, fmt.Errorf("%s: labels.tsv: %s has the ImageNet class %q, expected an index or none", set, p.Name, s)
			}
		}
		out = append(out, p)
	}
	return out, nil
}

func none(s string) string {
	if s == "none" {
		return ""
	}
	return s
}

// open reads part ("", "N" or "from-to") of a set. At 32 pixels the labels are
// CIFAR-10's, at every other size ImageNet's.
func open(set, part string, o images.Options) (*images.Set, error) {
	all, err := List(set)
	if err != nil {
		return nil, err
	}
	from, to, err := images.Span(part, len(all))
	if err != nil {
		return nil, fmt.Errorf("%s:%s: %w", set, part, err)
	}
	s := &images.Set{Name: set, Size: o.Size}
	if part != "" {
		s.Name += ":" + part
	}
	cifar := o.Size == 32
	if cifar {
		s.ClassNames = images.CIFARClasses()
	} else {
		s.ClassNames = make([]string, 1000)
	}
	for i, p := range all {
		label := -1
		switch {
		case cifar:
			for k, n := range s.ClassNames {
				if n == p.CIFAR {
					label = k
				}
			}
		case p.ImageNet >= 0:
			label = p.ImageNet
			s.ClassNames[label] = p.ImageNetName
		}
		if i < from || i >= to {
			continue
		}
		data, err := sets[set].ReadFile(p.Name + ".jpg")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", set, err)
		}
		pixels, err := images.DecodeBytes(set+"/"+p.Name+".jpg", data, o.Size, o.Filter)
		if err != nil {
			return nil, err
		}
		s.Names = append(s.Names, p.Name)
		s.Labels = append(s.Labels, label)
		s.Pixels = append(s.Pixels, pixels...)
	}
	return s, nil
}
