package api

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Floats are packed as little-endian bytes: gob would take five to nine bytes a value
// and its time.
type Floats []float32

// GobEncode implements gob.GobEncoder.
func (f Floats) GobEncode() ([]byte, error) {
	b := make([]byte, 0, 4*len(f))
	for _, v := range f {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b, nil
}

// GobDecode implements gob.GobDecoder.
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

// CheckImages makes sure that the parts of a set from elsewhere fit each other.
func CheckImages(s *metamer.ImageSet) error {
	if err := CheckLight(s); err != nil {
		return err
	}
	if n := len(s.Names); len(s.Pixels) != n*s.Size*s.Size*3 {
		return fmt.Errorf("api: image set %q of %d names has %d values for %d² pixels", s.Name, n, len(s.Pixels), s.Size)
	}
	return nil
}

// CheckLight is CheckImages of a set without pixels.
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

// LightImages is a set without its pixels.
func LightImages(s *metamer.ImageSet) *metamer.ImageSet {
	l := *s
	l.Pixels = nil
	return &l
}

// LightRun is a run without its pixels.
func LightRun(r *metamer.Run) *metamer.Run {
	l := *r
	l.Metamers, l.Start = nil, nil
	return &l
}

// mostImages is more than a run ever has.
const mostImages = 1 << 24

// CheckRun makes sure that what is read by number is there in a run from elsewhere; parts
// may be missing.
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

// Rows are metamer.Rows on the wire: how metamers were made stands there once, not in
// every row.
type Rows struct {
	Rows metamer.Rows   // without Made
	Made []metamer.Made // of all rows, each once
	Of   []int32        // the index in Made of each row's, -1: none
}

// PackRows copies the rows.
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

// Unpack is the inverse of PackRows.
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
