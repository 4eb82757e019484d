package weights

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// WriteNPZ writes arrays as NumPy's .npz: float32 or int64, C order, one member an
// array, under a temporary name that is renamed at the end. It panics on a repeated
// name and on a shape that does not fit its elements. The layout is NumPy's format
// 1.0 (numpy/lib/format.py); sbinet/npyio cannot write a slice with a shape of its own.
func WriteNPZ(path string, arrays []Tensor) error {
	check(arrays)
	err := paths.WriteFile(path, func(f *os.File) error {
		z := zip.NewWriter(f)
		for _, a := range arrays {
			w, err := z.CreateHeader(&zip.FileHeader{Name: a.Name + ".npy", Method: zip.Store})
			if err != nil {
				return err
			}
			descr, v := "<f4", any(a.Float)
			if a.Int != nil {
				descr, v = "<i8", a.Int
			}
			dims := strings.Trim(strings.Join(strings.Fields(fmt.Sprint(a.Shape)), ", "), "[]")
			if len(a.Shape) == 1 {
				dims += ","
			}
			head := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, dims)
			head += strings.Repeat(" ", 63-(10+len(head))%64) + "\n"
			var b bytes.Buffer
			b.WriteString("\x93NUMPY\x01\x00")
			binary.Write(&b, binary.LittleEndian, uint16(len(head)))
			b.WriteString(head)
			if _, err := w.Write(b.Bytes()); err != nil {
				return err
			}
			if err := binary.Write(w, binary.LittleEndian, v); err != nil {
				return err
			}
		}
		return z.Close()
	})
	if err != nil {
		return fmt.Errorf("weights: %w", err)
	}
	return nil
}
