package imgmetrics

import (
	"bytes"
	"image"
	"image/jpeg"
	"strconv"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
)

// The images of testdata/scripts/metrics_golden.py, in the same whole numbers.

// levels returns a picture by its name: NAME, NAME-noiseLEVEL, NAME-blurTIMES,
// NAME-jpegQUALITY (a file), or one of ramp, checker, hash.
func levels(t testing.TB, name string) (x []int, h, w int) {
	t.Helper()
	switch name {
	case "ramp", "checker", "hash":
		return synthetic(name), 224, 224
	}
	base, how, ok := strings.Cut(name, "-")
	if !ok || strings.HasPrefix(how, "jpeg") {
		return readPNG(t, name)
	}
	x, h, w = readPNG(t, base)
	if n, ok := strings.CutPrefix(how, "noise"); ok {
		return noisy(x, number10(t, n)), h, w
	}
	return blurred(x, h, w, number10(t, strings.TrimPrefix(how, "blur"))), h, w
}

func number10(t testing.TB, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func splitmix(i uint64) uint64 {
	z := (i + 1) * 0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// noisy adds about Gaussian noise of that deviation.
func noisy(x []int, level int) []int {
	out := make([]int, len(x))
	for i, v := range x {
		z := splitmix(uint64(i))
		s := -131070
		for k := range 4 {
			s += int(z >> (16 * k) & 0xFFFF)
		}
		out[i] = min(max(v+floorDiv(2*s*level+37837, 2*37837), 0), 255)
	}
	return out
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// blurred applies a binomial 5×5 window, borders replicated, rounded each time.
func blurred(x []int, h, w, times int) []int {
	at := func(x []int, i, j, c int) int { return x[(min(max(i, 0), h-1)*w+min(max(j, 0), w-1))*3+c] }
	for range times {
		for axis := range 2 {
			out := make([]int, len(x))
			for i := range h {
				for j := range w {
					for c := range 3 {
						s := 8
						for k, weight := range [5]int{1, 4, 6, 4, 1} {
							if axis == 0 {
								s += weight * at(x, i+k-2, j, c)
							} else {
								s += weight * at(x, i, j+k-2, c)
							}
						}
						out[(i*w+j)*3+c] = s >> 4
					}
				}
			}
			x = out
		}
	}
	return x
}

func synthetic(kind string) (out []int) {
	for y := range 224 {
		for x := range 224 {
			for c := range 3 {
				switch kind {
				case "ramp":
					out = append(out, (x+c*10)*255/243)
				case "checker":
					out = append(out, 40+170*((x/8+y/8)%2))
				default:
					out = append(out, int(splitmix(uint64(len(out)))>>56))
				}
			}
		}
	}
	return out
}

// jpegged compresses by image/jpeg and decodes again.
func jpegged(t testing.TB, x []int, h, w, quality int) []int {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range h * w {
		m.Pix[4*i], m.Pix[4*i+1], m.Pix[4*i+2], m.Pix[4*i+3] = uint8(x[3*i]), uint8(x[3*i+1]), uint8(x[3*i+2]), 255
	}
	var buf bytes.Buffer
	if err := jpeg.Encode(&buf, m, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	p, err := images.DecodeBytes("jpeg", buf.Bytes(), min(h, w), "")
	if err != nil {
		t.Fatal(err)
	}
	if h != w {
		t.Fatal("jpegged takes square images")
	}
	out := make([]int, len(p))
	for i, v := range p {
		out[i] = int(v*255 + 0.5)
	}
	return out
}
