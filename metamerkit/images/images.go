// Package images reads image sets: CIFAR-10 and folders or lists of JPEG and PNG
// files. Pixels are float32 in [0,1], RGB, [N,Size,Size,3].
package images

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"path/filepath"
	"strings"
)

// Set is a number of images of one size.
type Set struct {
	Name       string
	Size       int      // pixels a side
	Names      []string // one an image
	Labels     []int    // index into ClassNames, -1: none
	ClassNames []string
	Pixels     []float32 // [N,Size,Size,3]

	// Of a part of a larger set (see Options.Part): where in the whole it begins, and
	// how many images the whole has; 0: this is the whole.
	First, Of int
}

// Len is the number of images.
func (s *Set) Len() int { return len(s.Names) }

// Image returns the pixels of image i, [Size,Size,3], sharing memory.
func (s *Set) Image(i int) []float32 {
	n := s.Size * s.Size * 3
	return s.Pixels[i*n : (i+1)*n]
}

// Class returns the class name of image i, "" if it has none.
func (s *Set) Class(i int) string {
	if l := s.Labels[i]; l >= 0 && l < len(s.ClassNames) {
		return s.ClassNames[l]
	}
	return ""
}

// SHA256 is over size, labels and pixels (little-endian float32), in hexadecimal:
// the same on every machine, whatever the files were called.
func (s *Set) SHA256() string {
	h := sha256.New()
	fmt.Fprintf(h, "%d %v\n", s.Size, s.Labels)
	buf := make([]byte, 0, 4096)
	for _, p := range s.Pixels {
		buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(p))
		if len(buf) == cap(buf) {
			h.Write(buf)
			buf = buf[:0]
		}
	}
	h.Write(buf)
	return hex.EncodeToString(h.Sum(nil))
}

// Options say how files become images.
type Options struct {
	Size   int    // pixels a side; 0: 32 for cifar10, 224 for files
	Filter string // bicubic (default) | bilinear
	// Crop is the share of the resized image that the centre crop keeps (of files; see
	// Transform); 0: 1, all of the shorter side.
	Crop float64
	// Part is the only part of the set that is wanted: from its first number up to its
	// second. Files outside it are not decoded. The set keeps the whole's name. nil:
	// the whole.
	Part *[2]int
}

// Open reads an image set: "cifar10" (the test images), "cifar10:16" (the first
// 16), "cifar10:100-116" (those from 100 up to 116), "cifar10:train" likewise
// ("cifar10:train:16"), a registered set likewise (see Register; "photos:16" where
// metamerkit/images/photos is imported), or folders and files, which have labels where
// their folder has a LabelsFile.
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

// Part is Slice as a part of the set, which recipes then name.
func (s *Set) Part(from, to int) (*Set, error) {
	if s.Of != 0 {
		return nil, fmt.Errorf("images: %s: a part of a part", s.Name)
	}
	if err := checkPart(s.Name, from, to, s.Len()); err != nil {
		return nil, err
	}
	if from == 0 && to == s.Len() {
		return s, nil
	}
	p := s.Slice(from, to)
	p.First, p.Of = from, s.Len()
	return p, nil
}

// Slice is images from up to to as a set of their own, sharing memory.
func (s *Set) Slice(from, to int) *Set {
	p, per := *s, s.Size*s.Size*3
	p.Names, p.Labels, p.Pixels = s.Names[from:to], s.Labels[from:to], s.Pixels[from*per:to*per]
	return &p
}

func checkPart(name string, from, to, n int) error {
	if from < 0 || to <= from || to > n {
		return fmt.Errorf("images: part %d-%d of %s, which has %d images: expected a range of these", from, to, name, n)
	}
	return nil
}

// Count returns how many images a set has. Files are not decoded.
func Count(spec []string, o Options) (int, error) {
	if len(spec) == 1 {
		if name, _, _ := strings.Cut(spec[0], ":"); name == "cifar10" || source(name) != nil {
			s, err := Open(spec, o)
			if err != nil {
				return 0, err
			}
			return s.Len(), nil
		}
	}
	if len(spec) == 0 {
		return 0, fmt.Errorf("images: no images given")
	}
	files, err := expand(spec)
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
	files, err := expand(spec)
	if err != nil {
		return nil, 0, err
	}
	n := len(files)
	s = &Set{Name: strings.Join(spec, " "), Size: o.Size}
	if n > 1 && len(spec) > 1 {
		s.Name = fmt.Sprintf("%d files", n)
	}
	if o.Part != nil {
		if err := checkPart(s.Name, o.Part[0], o.Part[1], n); err != nil {
			return nil, 0, err
		}
		files = files[o.Part[0]:o.Part[1]]
	}
	for _, f := range files {
		p, err := Transform{o.Size, o.Crop, o.Filter}.Decode(f)
		if err != nil {
			return nil, 0, err
		}
		s.Names = append(s.Names, strings.TrimSuffix(filepath.Base(f), filepath.Ext(f)))
		s.Labels = append(s.Labels, -1)
		s.Pixels = append(s.Pixels, p...)
	}
	return s, n, s.label(files)
}

// named opens CIFAR-10 or a registered set; nil: spec names files. It fills in the
// default size.
func named(spec []string, o *Options) (*Set, error) {
	if len(spec) == 0 {
		return nil, fmt.Errorf("images: no images given: expected cifar10[:N], a folder or files")
	}
	if name, rest, _ := strings.Cut(spec[0], ":"); len(spec) == 1 && name == "cifar10" {
		if o.Size != 0 && o.Size != 32 {
			return nil, fmt.Errorf("images: CIFAR-10 images are 32 pixels a side, size %d was asked for; models resize by themselves", o.Size)
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
