// Package photos is the image set "photos": 171 photographs on white that are
// embedded in the program, with CIFAR-10 and ImageNet labels where they have one
// (testdata/photos; GPL-2). Importing it registers the set with package images.
// It adds about 1.5 MB, so programs that need no photographs do not import it.
package photos

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strconv"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
	files "github.com/ensemble-metamers/metamers/testdata/photos"
)

func init() { images.Register("photos", open) }

// Photo is a row of labels.tsv.
type Photo struct {
	Name, Category string
	CIFAR          string // class name, "" for none
	ImageNet       int    // class index of ILSVRC-2012, -1 for none
	ImageNetName   string
	Source         string // file in the Debian package
}

// List returns the photographs in the order of the set.
func List() ([]Photo, error) {
	text, err := files.Files.ReadFile("labels.tsv")
	if err != nil {
		return nil, fmt.Errorf("photos: %w", err)
	}
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma, r.FieldsPerRecord = '\t', 6
	rows, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("photos: labels.tsv: %w", err)
	}
	var out []Photo
	for _, row := range rows[1:] {
		p := Photo{Name: row[0], Category: row[1], CIFAR: none(row[2]), ImageNet: -1, ImageNetName: none(row[4]), Source: row[5]}
		if s := none(row[3]); s != "" {
			if p.ImageNet, err = strconv.Atoi(s); err != nil {
				return nil, fmt.Errorf("photos: labels.tsv: %s has the ImageNet class %q, expected an index or none", p.Name, s)
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

// open reads part ("", "N" or "from-to") of the set. At 32 pixels the labels are
// CIFAR-10's, at every other size ImageNet's.
func open(part string, o images.Options) (*images.Set, error) {
	all, err := List()
	if err != nil {
		return nil, err
	}
	from, to, err := images.Span(part, len(all))
	if err != nil {
		return nil, fmt.Errorf("photos:%s: %w", part, err)
	}
	s := &images.Set{Name: "photos", Size: o.Size}
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
		data, err := files.Files.ReadFile(p.Name + ".jpg")
		if err != nil {
			return nil, fmt.Errorf("photos: %w", err)
		}
		pixels, err := images.DecodeBytes("photos/"+p.Name+".jpg", data, o.Size, o.Filter)
		if err != nil {
			return nil, err
		}
		s.Names = append(s.Names, p.Name)
		s.Labels = append(s.Labels, label)
		s.Pixels = append(s.Pixels, pixels...)
	}
	return s, nil
}
