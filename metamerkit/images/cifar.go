package images

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/ulikunitz/xz"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// record is a label and 32² pixels, channel by channel: the layout of the binary
// version (Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html).
const record = 1 + 3*32*32

var cifarClasses = []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}

// openCIFAR reads [train:][N|from-to].
func openCIFAR(part string) (*Set, error) {
	batches := []string{"test_batch.bin"}
	name, rng := "cifar10", part
	if part == "train" || strings.HasPrefix(part, "train:") {
		batches = nil
		for i := range 5 {
			batches = append(batches, fmt.Sprintf("data_batch_%d.bin", i+1))
		}
		name, rng = "cifar10:train", strings.TrimPrefix(strings.TrimPrefix(part, "train"), ":")
	}
	from, to, err := Span(rng, 10000*len(batches))
	if err != nil {
		return nil, fmt.Errorf("images: cifar10:%s: %w", part, err)
	}
	s := &Set{Name: name, Size: 32, ClassNames: cifarClasses}
	if rng != "" {
		s.Name += ":" + rng
	}
	for i, b := range batches {
		lo, hi := max(from-i*10000, 0), min(to-i*10000, 10000)
		if lo >= hi {
			continue
		}
		data, path, err := readBatch(b, hi)
		if err != nil {
			return nil, err
		}
		if err := addRecords(s, path, data, i*10000, lo, hi); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Span parses a range of n images: "" (all), "N" (the first N) or "FROM-TO" (FROM up to but
// not including TO, counted from 0). An empty or too large range is an error.
func Span(s string, n int) (from, to int, err error) {
	to = n
	if a, b, ok := strings.Cut(s, "-"); ok {
		from, err = strconv.Atoi(a)
		if err == nil {
			to, err = strconv.Atoi(b)
		}
	} else if s != "" {
		to, err = strconv.Atoi(s)
	}
	if err != nil || from < 0 || to <= from || to > n {
		return 0, 0, fmt.Errorf("%q is not a range of the %d images, expected N or FROM-TO", s, n)
	}
	return from, to, nil
}

// cifarFiles are the places of a batch file in a data folder.
func cifarFiles(name string) []string {
	return []string{"cifar-10-batches-bin/" + name, "cifar-10-batches-bin/" + name + ".xz", "cifar10/" + name + ".xz"}
}

// HasCIFAR reports whether CIFAR-10's test images are in a data folder.
func HasCIFAR() bool {
	_, err := paths.Find(cifarFiles("test_batch.bin")...)
	return err == nil
}

// readBatch returns the first n records of a batch file.
func readBatch(name string, n int) (data []byte, path string, err error) {
	path, err = paths.Find(cifarFiles(name)...)
	if err != nil {
		return nil, "", fmt.Errorf("images: CIFAR-10 is missing: metamers data get cifar10 downloads it (%w)", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, "", fmt.Errorf("images: %w", err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".xz") {
		if r, err = xz.NewReader(bufio.NewReader(f)); err != nil {
			return nil, "", fmt.Errorf("images: %s: %w", path, err)
		}
	}
	var b bytes.Buffer
	if _, err := io.CopyN(&b, r, int64(n)*record); err != nil {
		return nil, "", fmt.Errorf("images: %s has %d bytes, expected at least %d for %d images (%w)", path, b.Len(), n*record, n, err)
	}
	return b.Bytes(), path, nil
}

func addRecords(s *Set, path string, data []byte, first, from, to int) error {
	for i := from; i < to; i++ {
		rec := data[i*record : (i+1)*record]
		if rec[0] > 9 {
			return fmt.Errorf("images: %s: image %d has the label %d, expected 0 to 9", path, i, rec[0])
		}
		s.Names = append(s.Names, fmt.Sprintf("%d", first+i))
		s.Labels = append(s.Labels, int(rec[0]))
		for p := range 32 * 32 {
			for c := range 3 {
				s.Pixels = append(s.Pixels, float32(rec[1+c*1024+p])/255)
			}
		}
	}
	return nil
}
