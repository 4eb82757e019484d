package metamer

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
)

// ImageSet is a number of images of one size.
type ImageSet struct {
	Name       string
	Size       int      // pixels a side
	Names      []string // one an image
	Labels     []int    // index into ClassNames, -1: none
	ClassNames []string
	Pixels     []float32 // [N,Size,Size,3]
	Paths      []string  // the folders and files it was read from, absolute; nil of a set by name

	// Of a part of a larger set (see Part): where in the whole it begins, and
	// how many images the whole has; 0: this is the whole.
	First, Of int

	// Copies is how often each image of another set stands in this one, next to each other
	// (Variants.Of); 0: once.
	Copies int

	// Notes are what a reader should know of how files became images: those that were
	// left out or turned. They are no part of the set's SHA-256.
	Notes []string
}

// Len is the number of images.
func (s *ImageSet) Len() int { return len(s.Names) }

// Image returns the pixels of image i, [Size,Size,3], sharing memory.
func (s *ImageSet) Image(i int) []float32 {
	n := s.Size * s.Size * 3
	return s.Pixels[i*n : (i+1)*n]
}

// Class returns the class name of image i, "" if it has none.
func (s *ImageSet) Class(i int) string {
	if l := s.Labels[i]; l >= 0 && l < len(s.ClassNames) {
		return s.ClassNames[l]
	}
	return ""
}

// Title is what figures and tables call image i: its name or, where that is only a number as
// in CIFAR-10, its class.
func (s *ImageSet) Title(i int) string {
	if _, err := strconv.Atoi(s.Names[i]); err == nil {
		return cmp.Or(s.Class(i), s.Names[i])
	}
	return s.Names[i]
}

// Titles are those of all images.
func (s *ImageSet) Titles() []string {
	out := make([]string, s.Len())
	for i := range out {
		out[i] = s.Title(i)
	}
	return out
}

// SHA256 is over size, labels and pixels (little-endian float32), in hexadecimal:
// the same on every machine, whatever the files were called.
func (s *ImageSet) SHA256() string {
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

// Part is Slice as a part of the set, which recipes then name.
func (s *ImageSet) Part(from, to int) (*ImageSet, error) {
	if s.Of != 0 {
		return nil, fmt.Errorf("images: %s: a part of a part", s.Name)
	}
	if err := CheckPart(s.Name, from, to, s.Len()); err != nil {
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
func (s *ImageSet) Slice(from, to int) *ImageSet {
	p, per := *s, s.Size*s.Size*3
	p.Names, p.Labels, p.Pixels = s.Names[from:to], s.Labels[from:to], s.Pixels[from*per:to*per]
	return &p
}

// CheckPart reports a part that a set of n images does not have.
func CheckPart(name string, from, to, n int) error {
	if from < 0 || to <= from || to > n {
		return fmt.Errorf("images: part %d-%d of %s, which has %d images: expected a range of these", from, to, name, n)
	}
	return nil
}

// Unlabelled is s without its labels, sharing pixels.
func (s *ImageSet) Unlabelled() *ImageSet {
	p := *s
	p.ClassNames, p.Labels = nil, make([]int, len(s.Labels))
	for i := range p.Labels {
		p.Labels[i] = -1
	}
	return &p
}
