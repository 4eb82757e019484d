package metamer

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var sample = Rows{
	{Run: "00000000000000ab", Set: "resnet20_cifar10+vit", Stage: "late", Observer: "resnet2b", Member: true, Image: 3, Measure: "same-class", Value: 1, Low: math.NaN(), High: math.NaN(), Count: 1},
	{Set: "a, \"b\"", Stage: "layer1\n2", Image: -1, Measure: "niqe", Value: math.NaN(), Low: math.Inf(-1), High: math.Inf(1), Reason: "32² pixels; too small"},
	{Measure: "x", Image: -1, Value: 0.1 + 0.2, Low: math.SmallestNonzeroFloat64, High: -math.MaxFloat64, Count: 1000},
	{Measure: "x", Image: -1, Value: math.Copysign(0, -1), Low: 1.0 / 3, High: 1e-300},
}

func TestRowsWithoutLoss(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.csv")
	if err := SaveRows(path, sample); err != nil {
		t.Fatal(err)
	}
	got, err := LoadRows(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(sample) {
		t.Fatalf("%d rows, expected %d", len(got), len(sample))
	}
	for i := range got {
		if !got[i].Equal(sample[i]) || math.Signbit(got[i].Value) != math.Signbit(sample[i].Value) {
			t.Errorf("row %d: %+v, expected %+v", i, got[i], sample[i])
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o644 {
		t.Errorf("mode %v %v", st.Mode(), err)
	}
}

func TestRowsRefused(t *testing.T) {
	head := strings.Join(RowHeader, ",") + "\n"
	good := "r,s,late,o,true,0,m,1,NaN,NaN,1,\n"
	for name, c := range map[string]struct {
		text string
		line int
	}{
		"empty": {"", 1}, "header": {"run,set\n", 1}, "member": {head + "r,s,late,o,yes,0,m,1,NaN,NaN,1,\n", 2},
		"value": {head + good + "r,s,late,o,true,0,m,1_0,NaN,NaN,1,\n", 3}, "image": {head + "r,s,late,o,true,-2,m,1,NaN,NaN,1,\n", 2},
		"fields": {head + good + good + "r,s\n", 4}, "measure": {head + "r,s,late,o,true,0,,1,NaN,NaN,1,\n", 2},
		"quote": {head + good + "r,\"s,late\n", 3}, "utf8": {head + "\xff,s,late,o,true,0,m,1,NaN,NaN,1,\n", 2},
	} {
		_, err := ReadRows(strings.NewReader(c.text), "rows.csv")
		var re *RowError
		if !errors.As(err, &re) || re.Line != c.line || !strings.Contains(err.Error(), "rows.csv") {
			t.Errorf("%s: %v, expected an error for line %d", name, err, c.line)
		}
	}
	if err := WriteRows(&bytes.Buffer{}, Rows{{Measure: "m", Set: "a\r\nb"}}); err == nil {
		t.Error("a carriage return is written")
	}
	dir := t.TempDir()
	if err := SaveRows(filepath.Join(dir, "x.csv"), Rows{{Measure: "m", Set: "\xff"}}); err == nil {
		t.Error("text that is not UTF-8 is written")
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("a failed write leaves %v", left)
	}
}

// What R and pandas write back: a byte order mark, TRUE, NA.
func TestRowsFromElsewhere(t *testing.T) {
	text := "\ufeff" + strings.Join(RowHeader, ",") + "\r\n" + "\"r\",\"s\",\"late\",\"o\",TRUE,0,\"m\",1,NA,,1,\r\n"
	rows, err := ReadRows(strings.NewReader(text), "")
	if err != nil || len(rows) != 1 || !rows[0].Member || !math.IsNaN(rows[0].Low) || !math.IsNaN(rows[0].High) {
		t.Errorf("%+v %v", rows, err)
	}
}

// What is read is written and read again the same.
func FuzzRows(f *testing.F) {
	var b bytes.Buffer
	if err := WriteRows(&b, sample); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(strings.Join(RowHeader, ",") + "\nr,s,late,o,true,0,m,0x1p-2,NaN,NaN,1,\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, err := ReadRows(bytes.NewReader(data), "fuzz")
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := WriteRows(&b, rows); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := ReadRows(&b, "again")
		if err != nil || len(again) != len(rows) {
			t.Fatalf("%d rows became %d: %v", len(rows), len(again), err)
		}
		for i := range rows {
			if !rows[i].Equal(again[i]) {
				t.Fatalf("row %d: %+v became %+v", i, rows[i], again[i])
			}
		}
	})
}
