package api

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Floats are sent as little-endian float32, four bytes a value, where gob would take five to
// nine and more time.
type Floats []float32

// GobEncode implements gob.GobEncoder. It never fails.
func (f Floats) GobEncode() ([]byte, error) {
	b := make([]byte, 0, 4*len(f))
	for _, v := range f {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b, nil
}

// GobDecode implements gob.GobDecoder. A length that is no multiple of four is an error.
func (f *Floats) GobDecode(b []byte) error {
	if len(b)%4 != 0 {
		return fmt.Errorf("api: %d bytes of float32", len(b))
	}
	*f = make(Floats, len(b)/4)
	for i := range *f {
		(*f)[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return nil
}

// CheckImages checks an image set from another process: it returns an error unless CheckLight
// accepts it and Pixels has N·Size·Size·3 values.
func CheckImages(s *metamer.ImageSet) error {
	if err := CheckLight(s); err != nil {
		return err
	}
	if n := len(s.Names); len(s.Pixels) != n*s.Size*s.Size*3 {
		return fmt.Errorf("api: image set %q of %d names has %d values for %d² pixels", s.Name, n, len(s.Pixels), s.Size)
	}
	return nil
}

// CheckLight checks an image set without pixels from another process. It returns an error
// unless Size is 1 to 4096, there are as many names as labels, and, for a part of a set, First
// and the number of images lie within Of.
func CheckLight(s *metamer.ImageSet) error {
	n := len(s.Names)
	if s.Size < 1 || s.Size > 4096 || len(s.Labels) != n {
		return fmt.Errorf("api: image set %q of %d names and %d labels, %d² pixels each", s.Name, n, len(s.Labels), s.Size)
	}
	if s.First < 0 || s.Of < 0 || s.Of > 0 && s.First+n > s.Of || s.Of == 0 && s.First > 0 {
		return fmt.Errorf("api: image set %q of %d names is images from %d of %d", s.Name, n, s.First, s.Of)
	}
	return nil
}

// LightImages returns a copy of a set without its pixels.
func LightImages(s *metamer.ImageSet) *metamer.ImageSet {
	l := *s
	l.Pixels = nil
	return &l
}

// LightRun returns a copy of a run without the pixels of metamers and initial images.
func LightRun(r *metamer.Run) *metamer.Run {
	l := *r
	l.Metamers, l.Start = nil, nil
	return &l
}

// mostImages is more images than a run ever has.
const mostImages = 1 << 24

// CheckRun checks a run from another process. It returns an error unless the number of
// images is 0 to 2²⁴, match statistics are of those images, and the columns of the trace are
// of one length. It does not check pixels.
func CheckRun(r *metamer.Run) error {
	n, t := r.Recipe.Images.Count, r.Trace
	if n < 0 || n > mostImages {
		return fmt.Errorf("api: run %q has %d images", r.ID, n)
	}
	for _, e := range r.Statistics {
		if e.Image < 0 || e.Image >= n {
			return fmt.Errorf("api: run %q of %d images has match statistics of image %d", r.ID, n, e.Image)
		}
	}
	if len(t.Member) != len(t.Step) || len(t.Image) != len(t.Step) || len(t.Loss) != len(t.Step) {
		return fmt.Errorf("api: run %q has a trace of %d steps, %d members, %d images and %d losses", r.ID, len(t.Step), len(t.Member), len(t.Image), len(t.Loss))
	}
	return nil
}

// Rows are metamer.Rows as they are sent: each distinct Made once, and not in every row.
type Rows struct {
	Rows metamer.Rows   // without Made
	Made []metamer.Made // the distinct values of Made
	Of   []int32        // of each row: an index in Made, -1 for none
}

// PackRows returns a copy of rows in the form that is sent. It never fails.
func PackRows(r metamer.Rows) *Rows {
	w := &Rows{Rows: make(metamer.Rows, len(r)), Of: make([]int32, len(r))}
	known := map[*metamer.Made]int32{}
	for i, row := range r {
		w.Of[i] = -1
		if row.Made != nil {
			k, ok := known[row.Made]
			if !ok {
				k = int32(len(w.Made))
				known[row.Made], w.Made = k, append(w.Made, *row.Made)
			}
			w.Of[i] = k
		}
		row.Made = nil
		w.Rows[i] = row
	}
	return w
}

// Unpack is the inverse of PackRows. It returns an error if Of has another length than Rows
// or an index outside Made. The rows are those of w, not copies.
func (w *Rows) Unpack() (metamer.Rows, error) {
	if len(w.Of) != len(w.Rows) {
		return nil, fmt.Errorf("api: %d rows, and how %d of them were made", len(w.Rows), len(w.Of))
	}
	for i, k := range w.Of {
		if k >= int32(len(w.Made)) {
			return nil, fmt.Errorf("api: row %d was made as the %dth of %d", i, k, len(w.Made))
		}
		if k >= 0 {
			w.Rows[i].Made = &w.Made[k]
		}
	}
	return w.Rows, nil
}
