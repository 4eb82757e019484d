package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
)

// printed returns what f writes to the standard output.
func printed(t *testing.T, f func() error) (string, error) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stdout
	os.Stdout = w
	out := make(chan []byte)
	go func() {
		all, _ := io.ReadAll(r)
		out <- all
	}()
	err = f()
	os.Stdout = old
	if e := w.Close(); e != nil {
		t.Fatal(e)
	}
	return string(<-out), err
}

func stripes(n, period int) []float32 {
	x := make([]float32, n*n*3)
	for i := range x {
		x[i] = float32(i / 3 % n / period % 2)
	}
	return x
}

func TestMeasure(t *testing.T) {
	dir, refs := t.TempDir(), t.TempDir()
	for path, x := range map[string]struct {
		side, period int
	}{filepath.Join(dir, "a.png"): {32, 2}, filepath.Join(dir, "b.png"): {20, 4}, filepath.Join(refs, "a.png"): {32, 2}, filepath.Join(refs, "b.png"): {20, 2}} {
		if err := images.WritePNG(path, stripes(x.side, x.period), x.side); err != nil {
			t.Fatal(err)
		}
	}
	g := &globals{Backend: "go", JSON: true}
	c := measureCmd{Image: []string{dir}, Reference: refs, Metrics: []string{"contrast", "psnr", "niqe-photos"}}
	text, err := printed(t, func() error { return c.Run(context.Background(), g) })
	if err != nil {
		t.Fatal(err)
	}
	type line struct {
		Image         string
		Width, Height int
		Values        map[string]*float64
		Why           map[string]string
	}
	var lines []line
	for d := json.NewDecoder(bytes.NewBufferString(text)); d.More(); {
		var l line
		if err := d.Decode(&l); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
	}
	if len(lines) != 2 || lines[0].Width != 32 || lines[1].Height != 20 {
		t.Fatalf("printed %s", text)
	}
	if v := lines[0].Values["contrast"]; v == nil || *v < 0.499 || *v > 0.501 {
		t.Errorf("contrast of stripes: %v", text)
	}
	if lines[0].Values["psnr"] != nil || lines[0].Why["psnr"] == "" || lines[1].Values["psnr"] == nil {
		t.Errorf("psnr of an equal and of another image: %s", text)
	}
	if lines[0].Values["niqe-photos"] != nil || !strings.Contains(lines[0].Why["niqe-photos"], "96") {
		t.Errorf("niqe of a small image: %s", text)
	}

	g.JSON = false
	text, err = printed(t, func() error { return c.Run(context.Background(), g) })
	if err != nil || !strings.Contains(text, "∞") || !strings.Contains(text, "b.png") || !strings.Contains(text, "↓") {
		t.Errorf("the table: %v\n%s", err, text)
	}

	for name, bad := range map[string]struct {
		c    measureCmd
		want string
	}{
		"no image":       {measureCmd{}, "no images"},
		"no such image":  {measureCmd{Image: []string{filepath.Join(dir, "x.png")}}, "x.png"},
		"unknown metric": {measureCmd{Image: []string{dir}, Metrics: []string{"sharpnes"}}, "sharpness"},
		"no reference":   {measureCmd{Image: []string{dir}, Metrics: []string{"ssim"}}, "--reference"},
		"sizes":          {measureCmd{Image: []string{dir}, Reference: filepath.Join(refs, "a.png")}, "20×20"},
		"no such model":  {measureCmd{Image: []string{dir}, Reference: dir, Metrics: []string{"activation:resnet21"}}, "resnet20"},
	} {
		if _, err := printed(t, func() error { return bad.c.Run(context.Background(), g) }); err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%s: %v, expected an error with %q", name, err, bad.want)
		}
	}
}
