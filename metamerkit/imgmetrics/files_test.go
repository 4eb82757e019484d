package imgmetrics

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// matFile builds a MATLAB 5 file of double matrices, in MATLAB's column order.
func matFile(order binary.AppendByteOrder, compressed bool, arrays map[string]matArray) []byte {
	u32 := func(b []byte, v ...uint32) []byte {
		for _, x := range v {
			b = order.AppendUint32(b, x)
		}
		return b
	}
	head := make([]byte, 124)
	copy(head, "MATLAB 5.0 MAT-file, made by a test")
	mark := "IM"
	if order.String() == "BigEndian" {
		mark = "MI"
	}
	head = append(head, 0, 0)
	head = append(head, mark...)
	for name, a := range arrays {
		body := u32(nil, 6, 8, 6, 0)                                                 // flags: double
		body = u32(body, 5, 8, uint32(a.rows), uint32(a.cols), 1, uint32(len(name))) // dimensions, name
		body = append(body, name...)
		for len(body)%8 != 0 {
			body = append(body, 0)
		}
		body = u32(body, 9, uint32(8*len(a.data)))
		for _, v := range a.data {
			body = order.AppendUint64(body, math.Float64bits(v))
		}
		all := append(u32(nil, miMatrix, uint32(len(body))), body...)
		if compressed {
			var buf bytes.Buffer
			z := zlib.NewWriter(&buf)
			if _, err := z.Write(all); err != nil {
				panic(err)
			}
			if err := z.Close(); err != nil {
				panic(err)
			}
			all = append(u32(nil, miCompressed, uint32(buf.Len())), buf.Bytes()...)
		}
		head = append(head, all...)
	}
	return head
}

func pristine() map[string]matArray {
	mu, cov := make([]float64, 36), make([]float64, 36*36)
	for i := range mu {
		mu[i] = float64(i)
		for j := range mu {
			cov[i*36+j] = 1 / float64(1+i+j)
		}
	}
	return map[string]matArray{"mu_prisparam": {1, 36, mu}, "cov_prisparam": {36, 36, cov}}
}

func TestLoadNIQE(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, compressed := range []bool{false, true} {
			m, err := parseNIQE(matFile(order, compressed, pristine()))
			if err != nil {
				t.Fatalf("%v, compressed %v: %v", order, compressed, err)
			}
			if m.Mean[35] != 35 || m.Cov[2][4] != 1./7 {
				t.Errorf("%v, compressed %v: mean %v, covariance %v", order, compressed, m.Mean[35], m.Cov[2][4])
			}
		}
	}
	bad := pristine()
	bad["cov_prisparam"].data[1] = math.NaN()
	few := pristine()
	few["mu_prisparam"] = matArray{1, 3, []float64{1, 2, 3}}
	whole := matFile(binary.LittleEndian, false, pristine())
	for name, data := range map[string][]byte{
		"empty": nil, "text": []byte("hello"), "cut short": whole[:len(whole)-9], "head only": whole[:128],
		"NaN": matFile(binary.LittleEndian, false, bad), "few": matFile(binary.LittleEndian, true, few), "JSON": []byte(`{"Mean":[1]}`),
	} {
		path := filepath.Join(t.TempDir(), "model.mat")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadNIQE(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, expected an error that names the file", name, err)
		}
	}
}

func FuzzMAT(f *testing.F) {
	f.Add(matFile(binary.LittleEndian, true, pristine()))
	f.Add(matFile(binary.BigEndian, false, pristine()))
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := parseNIQE(data); err == nil && m.check() != nil {
			t.Error("a model that its own check refuses")
		}
	})
}

func TestLoadBRISQUE(t *testing.T) {
	model, err := os.ReadFile(filepath.Join(goldenDir, "allmodel"))
	if err != nil {
		t.Fatal(err)
	}
	ranges, err := os.ReadFile(filepath.Join(goldenDir, "allrange"))
	if err != nil {
		t.Fatal(err)
	}
	m, r := string(model), string(ranges)
	for name, c := range map[string]struct{ model, ranges, want string }{
		"cut short":    {m[:strings.LastIndex(strings.TrimSpace(m), "\n")], r, "cut short"},
		"another type": {strings.Replace(m, "epsilon_svr", "c_svc", 1), r, "line 1"},
		"kernel":       {strings.Replace(m, "rbf", "linear", 1), r, "line 2"},
		"feature 37":   {strings.Replace(m, "36:", "37:", 1), r, "37"},
		"NaN":          {strings.Replace(m, "-153.591", "nan", 1), r, "line 6"},
		"binary":       {"\x00\x01" + m, r, "text"},
		"empty":        {"", r, "expected"},
		"few ranges":   {m, r[:len(r)/2], "range"},
		"no ranges":    {m, "", "ranges"},
		"upside down":  {m, strings.Replace(r, "-1 1", "1 -1", 1), "line 2"},
	} {
		dir := t.TempDir()
		for file, text := range map[string]string{"allmodel": c.model, "allrange": c.ranges} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := LoadBRISQUE(filepath.Join(dir, "allmodel"), ""); err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, expected an error that names the file and has %q", name, err, c.want)
		}
	}
	if _, err := LoadBRISQUE(filepath.Join(t.TempDir(), "allmodel"), ""); err == nil {
		t.Error("no error for a file that is not there")
	}
}

func FuzzSVR(f *testing.F) {
	f.Add([]byte("svm_type epsilon_svr\nkernel_type rbf\ngamma 0.05\ntotal_sv 1\nrho 1\nSV\n1 1:0.5 2:-1\n"), []byte("x\n-1 1\n1 0 1\n2 0 1\n"))
	f.Fuzz(func(t *testing.T, model, ranges []byte) {
		if m, err := parseSVR("model", model, "ranges", ranges, 2); err == nil {
			m.Predict([]float64{0.5, 0.5})
		}
	})
}
