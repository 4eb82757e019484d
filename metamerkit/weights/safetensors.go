package weights

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// maxHeader is the limit that the safetensors library itself has.
const maxHeader = 100 << 20

type entry struct {
	DType   string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets []int  `json:"data_offsets"`
}

// parseSafetensors reads a length, a JSON header and the elements, in little-endian
// order (github.com/huggingface/safetensors, "Format").
func parseSafetensors(src source) (map[string]*Tensor, map[string]string, error) {
	first, err := src.bytes(0, 8)
	if err != nil {
		return nil, nil, err
	}
	n := binary.LittleEndian.Uint64(first)
	if n > maxHeader || n > uint64(src.size-8) {
		return nil, nil, fmt.Errorf("its first eight bytes declare a header of %d bytes in a file of %d", n, src.size)
	}
	header, err := src.bytes(8, int64(n))
	if err != nil {
		return nil, nil, err
	}
	begin := 8 + int64(n)
	body := int(src.size - begin) // bytes
	raw, err := members(header)
	if err != nil {
		return nil, nil, err
	}
	out := map[string]*Tensor{}
	var meta map[string]string
	type span struct{ from, to int }
	var spans []span
	for _, m := range raw {
		if m.key == "__metadata__" {
			if err := json.Unmarshal(m.value, &meta); err != nil {
				return nil, nil, fmt.Errorf("__metadata__: %w", err)
			}
			continue
		}
		var e entry
		if err := json.Unmarshal(m.value, &e); err != nil {
			return nil, nil, fmt.Errorf("tensor %s: %w", m.key, err)
		}
		if len(e.Offsets) != 2 || e.Offsets[0] < 0 || e.Offsets[1] < e.Offsets[0] || e.Offsets[1] > body {
			return nil, nil, fmt.Errorf("tensor %s lies at %v of %d bytes", m.key, e.Offsets, body)
		}
		if e.Shape == nil {
			return nil, nil, fmt.Errorf("tensor %s has no shape", m.key)
		}
		w := width[e.DType]
		count, err := elements(e.Shape, 2*body/max(w, 1)) // the smallest type has four bits
		if err != nil {
			return nil, nil, fmt.Errorf("tensor %s: %w", m.key, err)
		}
		if w > 0 && count*w != e.Offsets[1]-e.Offsets[0] {
			return nil, nil, fmt.Errorf("tensor %s %s %v needs %d bytes, its offsets give %d", m.key, e.DType, e.Shape, count*w, e.Offsets[1]-e.Offsets[0])
		}
		held := &storage{src: src, at: begin + int64(e.Offsets[0]), there: true, dtype: e.DType, size: count}
		out[m.key] = (&strided{s: held, shape: e.Shape, strides: packed(e.Shape)}).tensor(m.key)
		spans = append(spans, span{e.Offsets[0], e.Offsets[1]})
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Or(a.from-b.from, a.to-b.to) })
	at := 0
	for _, s := range spans {
		if s.from != at {
			return nil, nil, fmt.Errorf("tensors overlap or leave a gap at byte %d", min(at, s.from))
		}
		at = s.to
	}
	if at != body {
		return nil, nil, fmt.Errorf("%d bytes belong to no tensor", body-at)
	}
	return out, meta, nil
}

type member struct {
	key   string
	value json.RawMessage
}

// members splits a JSON object, refusing duplicate keys.
func members(data []byte) (out []member, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("the header is no JSON object")
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("header: %w", err)
		}
		m := member{key: t.(string)}
		if err := d.Decode(&m.value); err != nil {
			return nil, fmt.Errorf("header: %w", err)
		}
		if seen[m.key] {
			return nil, fmt.Errorf("tensor %s stands twice in the header", m.key)
		}
		seen[m.key] = true
		out = append(out, m)
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("text after the header's closing brace")
	}
	return out, nil
}

// WriteSafetensors writes tensors as F32 (Float) or I64 (Int; DType is not looked
// at), in the order given,
// under a temporary name that is renamed at the end. It panics on a repeated name
// and on a shape that does not fit its elements.
func WriteSafetensors(path string, tensors []Tensor, metadata map[string]string) error {
	return writeSafetensors(path, tensors, metadata, "F32")
}

// WriteHalf is WriteSafetensors with floats in half precision (F16), rounded to the
// nearest. A finite value beyond its range, 65504, is an error.
func WriteHalf(path string, tensors []Tensor, metadata map[string]string) error {
	for _, t := range tensors {
		for i, v := range t.Float {
			if h := toHalf(v); h&0x7fff == 0x7c00 && !math.IsInf(float64(v), 0) {
				return fmt.Errorf("weights: writing %s: element %d of tensor %s is %v, expected at most 65504 for half precision", path, i, t.Name, v)
			}
		}
	}
	return writeSafetensors(path, tensors, metadata, "F16")
}

func writeSafetensors(path string, tensors []Tensor, metadata map[string]string, float string) error {
	check(tensors)
	header := map[string]any{}
	if len(metadata) > 0 {
		header["__metadata__"] = metadata
	}
	at := 0
	for _, t := range tensors {
		e := entry{DType: float, Shape: t.Shape}
		size := width[float] * len(t.Float)
		if t.Int != nil {
			e.DType, size = "I64", 8*len(t.Int)
		}
		e.Offsets = []int{at, at + size}
		at += size
		header[t.Name] = e
	}
	text, err := json.Marshal(header)
	if err != nil {
		return fmt.Errorf("weights: %w", err)
	}
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	err = paths.WriteFile(path, func(f *os.File) error {
		var buf bytes.Buffer
		binary.Write(&buf, binary.LittleEndian, uint64(len(text)))
		buf.Write(text)
		if _, err := f.Write(buf.Bytes()); err != nil {
			return err
		}
		for _, t := range tensors {
			var v any = t.Float
			switch {
			case t.Int != nil:
				v = t.Int
			case float == "F16":
				v = halves(t.Float)
			}
			if err := binary.Write(f, binary.LittleEndian, v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("weights: %w", err)
	}
	return nil
}
