package errand

import (
	"context"
	"encoding/binary"
	"errors"
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
		return fmt.Errorf("errand: %d bytes of float32", len(b))
	}
	*f = make(Floats, len(b)/4)
	for i := range *f {
		(*f)[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return nil
}

// Images is a metamer.ImageSet on the wire.
type Images struct {
	Name       string
	Size       int
	Names      []string
	Labels     []int
	ClassNames []string
	Pixels     Floats
	First, Of  int
}

// PackImages shares the memory of the set; nil stays nil.
func PackImages(s *metamer.ImageSet) *Images {
	if s == nil {
		return nil
	}
	return &Images{s.Name, s.Size, s.Names, s.Labels, s.ClassNames, s.Pixels, s.First, s.Of}
}

// Set checks that the parts fit each other, since they may come from anyone. The set of
// nil is nil.
func (s *Images) Set() (*metamer.ImageSet, error) {
	if s == nil {
		return nil, nil
	}
	n := len(s.Names)
	if s.Size < 1 || s.Size > 4096 || len(s.Labels) != n || len(s.Pixels) != n*s.Size*s.Size*3 {
		return nil, fmt.Errorf("errand: image set %q of %d names, %d labels and %d values for %d² pixels", s.Name, n, len(s.Labels), len(s.Pixels), s.Size)
	}
	if s.First < 0 || s.Of < 0 || s.Of > 0 && s.First+n > s.Of || s.Of == 0 && s.First > 0 {
		return nil, fmt.Errorf("errand: image set %q of %d names is images from %d of %d", s.Name, n, s.First, s.Of)
	}
	return &metamer.ImageSet{Name: s.Name, Size: s.Size, Names: s.Names, Labels: s.Labels, ClassNames: s.ClassNames, Pixels: s.Pixels, First: s.First, Of: s.Of}, nil
}

// Run is a metamer.Run on the wire.
type Run struct {
	Run             metamer.Run // without the pixels
	Metamers, Start Floats
}

// PackRun shares the memory of the run.
func PackRun(r *metamer.Run) *Run {
	w := &Run{Run: *r, Metamers: r.Metamers, Start: r.Start}
	w.Run.Metamers, w.Run.Start = nil, nil
	return w
}

// mostImages is more than a run ever has.
const mostImages = 1 << 24

// Unpack is the inverse of PackRun. It checks that what is read by number is there,
// since the run may come from anyone; parts may be missing.
func (w *Run) Unpack() (*metamer.Run, error) {
	r := w.Run
	r.Metamers, r.Start = w.Metamers, w.Start
	n, t := r.Recipe.Images.Count, r.Trace
	if n < 0 || n > mostImages {
		return nil, fmt.Errorf("errand: run %q has %d images", r.ID, n)
	}
	for _, e := range r.Statistics {
		if e.Image < 0 || e.Image >= n {
			return nil, fmt.Errorf("errand: run %q of %d images has evidence of image %d", r.ID, n, e.Image)
		}
	}
	if len(t.Member) != len(t.Step) || len(t.Image) != len(t.Step) || len(t.Loss) != len(t.Step) {
		return nil, fmt.Errorf("errand: run %q has a trace of %d steps, %d members, %d images and %d losses", r.ID, len(t.Step), len(t.Member), len(t.Image), len(t.Loss))
	}
	return &r, nil
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
		return nil, fmt.Errorf("errand: %d rows, and how %d of them were made", len(w.Rows), len(w.Of))
	}
	for i, k := range w.Of {
		if k >= int32(len(w.Made)) {
			return nil, fmt.Errorf("errand: row %d was made as the %dth of %d", i, k, len(w.Made))
		}
		if k >= 0 {
			w.Rows[i].Made = &w.Made[k]
		}
	}
	return w.Rows, nil
}

// ErrForgotten says that the desk knows nothing of a study any more.
var ErrForgotten = errors.New("errand: the study is forgotten: carry the plan out again")

// Failure is an error on the wire: what it says, and the kinds that callers branch on.
type Failure struct {
	Text      string
	Canceled  bool
	Forgotten bool
	Unknown   *metamer.UnknownError
}

// PackError keeps what an error says and which of the known kinds it is.
func PackError(err error) *Failure {
	f := &Failure{Text: err.Error(), Canceled: errors.Is(err, context.Canceled), Forgotten: errors.Is(err, ErrForgotten)}
	errors.As(err, &f.Unknown)
	return f
}

// Error implements error.
func (f *Failure) Error() string { return f.Text }

// Unwrap lets errors.As and errors.Is see what the error was.
func (f *Failure) Unwrap() error {
	switch {
	case f.Unknown != nil:
		return f.Unknown
	case f.Forgotten:
		return ErrForgotten
	case f.Canceled:
		return context.Canceled
	}
	return nil
}
