package metamer

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var sample = Rows{
	{Run: "00000000000000ab", Set: "resnet20_cifar10+vit", Stage: "late", Observer: "resnet2b", Member: true, Image: 3, Measure: "same-class", Value: 1, Low: math.NaN(), High: math.NaN(), Count: 1},
	{Set: "a, \"b\"", Stage: "layer1\n2", Image: -1, Measure: "niqe", Value: math.NaN(), Low: math.Inf(-1), High: math.Inf(1), Reason: "32² pixels; too small"},
	{Measure: "x", Image: -1, Value: 0.1 + 0.2, Low: math.SmallestNonzeroFloat64, High: -math.MaxFloat64, Count: 1000},
	{Measure: "x", Image: -1, Value: math.Copysign(0, -1), Low: 1.0 / 3, High: 1e-300},
	{Run: "00000000000000ab", Measure: "x", Image: 0, Value: 1, Made: Recipe{Optimizer: Optimizer{Name: "pgd"}, Images: ImageRef{Name: "cifar10:2", Count: 2}, Seed: 1 << 63}.WithDefaults().Made()},
	{Measure: "x", Image: 0, Value: 1, Name: "a dog, \"Rex\".png", Made: &Made{Images: "a folder, with a comma", Versions: "backend xla"}},
	{Measure: "x", Image: 1, Value: 1, Name: "cat.png"},
}

func TestRowsWithoutLoss(t *testing.T) {
	for _, name := range []string{"rows.csv", "rows.csv.gz"} {
		t.Run(name, func(t *testing.T) { withoutLoss(t, filepath.Join(t.TempDir(), name)) })
	}
}

func withoutLoss(t *testing.T, path string) {
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
	head := strings.Join(rowHeader[:12], ",") + "\n"
	good := "r,s,late,o,true,0,m,1,NaN,NaN,1,\n"
	for name, c := range map[string]struct {
		text string
		line int
	}{
		"empty": {"", 1}, "header": {"run,set\n", 1}, "member": {head + "r,s,late,o,yes,0,m,1,NaN,NaN,1,\n", 2},
		"value": {head + good + "r,s,late,o,true,0,m,1_0,NaN,NaN,1,\n", 3}, "image": {head + "r,s,late,o,true,-2,m,1,NaN,NaN,1,\n", 2},
		"fields": {head + good + good + "r,s\n", 4}, "measure": {head + "r,s,late,o,true,0,,1,NaN,NaN,1,\n", 2},
		"quote": {head + good + "r,\"s,late\n", 3}, "steps": {strings.Join(rowHeader, ",") + "\nr,s,late,o,true,0,m,1,NaN,NaN,1,,cifar10,pgd,-3,relative-l2,0,,\n", 2}, "seed": {strings.Join(rowHeader, ",") + "\nr,s,late,o,true,0,m,1,NaN,NaN,1,,cifar10,pgd,3,relative-l2,0.5,,\n", 2},
		"utf8": {head + "\xff,s,late,o,true,0,m,1,NaN,NaN,1,\n", 2},
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
	text := "\ufeff" + strings.Join(rowHeader[:12], ",") + "\r\n" + "\"r\",\"s\",\"late\",\"o\",TRUE,0,\"m\",1,NA,,1,\r\n"
	rows, err := ReadRows(strings.NewReader(text), "")
	if err != nil || len(rows) != 1 || rows[0].Name != "" || !rows[0].Member || !math.IsNaN(rows[0].Low) || !math.IsNaN(rows[0].High) {
		t.Errorf("%+v %v", rows, err)
	}
}

// Files that earlier versions wrote have no names of images.
func TestRowsWithoutNames(t *testing.T) {
	text := strings.Join(rowHeader[:19], ",") + "\nr,s,late,o,true,0,m,1,NaN,NaN,1,,cifar10:2,pgd,3,relative-l2,7,,backend go\n"
	rows, err := ReadRows(strings.NewReader(text), "")
	if err != nil || len(rows) != 1 || rows[0].Name != "" || rows[0].Made.Seed != 7 || rows[0].Made.Versions != "backend go" {
		t.Errorf("%+v %v", rows, err)
	}
}

// Rows say how their metamers were made: what pandas makes of whole numbers is read,
// and the settings come back as a recipe.
func TestMade(t *testing.T) {
	r := Recipe{Optimizer: Optimizer{Name: "pgd"}, Images: ImageRef{Name: "photos:4", Count: 4, Size: 32}, Steps: 5000, Seed: 3, Backend: "xla", Versions: map[string]string{"b": "2", "a": "1"}, Models: []ModelRef{{Name: "m"}}, Stage: "late"}.WithDefaults()
	m := r.Made()
	if m.Versions != "backend xla, a 1, b 2" || strings.Contains(m.Settings, "models") || strings.Contains(m.Settings, "plainReLU") {
		t.Errorf("%+v", m)
	}
	text := strings.Join(rowHeader, ",") + "\nr,s,late,o,true,0,m,1,NaN,NaN,1,,photos:4,pgd,5000.0,relative-l2,3.0," + `"` + strings.ReplaceAll(m.Settings, `"`, `""`) + `"` + ",\"" + m.Versions + "\",a.png\n"
	rows, err := ReadRows(strings.NewReader(text), "")
	if err != nil || len(rows) != 1 || rows[0].Made == nil || *rows[0].Made != *m {
		t.Fatalf("%+v %v, expected %+v", rows, err, m)
	}
	got, err := rows[0].Made.Recipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Models, r.Stage, r.Versions = nil, "", nil
	if !reflect.DeepEqual(got, r) {
		t.Errorf("%+v became %+v", r, got)
	}
	if d := got.Describe(); d != "pgd, step size 1, 5000 steps, switch schedule, start from noise, relative-l2 loss" {
		t.Error(d)
	}
	if _, err := (&Made{Settings: "{"}).Recipe(); err == nil {
		t.Error("half an object is a recipe")
	}
}

// What is read is written and read again the same.
func FuzzRows(f *testing.F) {
	var b bytes.Buffer
	if err := WriteRows(&b, sample); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(strings.Join(rowHeader[:12], ",") + "\nr,s,late,o,true,0,m,0x1p-2,NaN,NaN,1,\n"))
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

// Images are called by their names; where these are only numbers, by their classes.
func TestTitles(t *testing.T) {
	s := &ImageSet{Names: []string{"magpie", "7", "8"}, Labels: []int{0, 0, -1}, ClassNames: []string{"bird"}}
	if got := strings.Join(s.Titles(), ","); got != "magpie,bird,8" {
		t.Error(got)
	}
	r := &Run{Names: []string{"magpie"}}
	if r.Name(0) != "magpie" || r.Name(12) != "012" {
		t.Error(r.Name(0), r.Name(12))
	}
}
