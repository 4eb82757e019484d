package images

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// maxBytes is the largest file that is read: MaxPixels of 16 bits and four channels.
const maxBytes = 1 << 30

// Stdin is read for the path "-". A program sets it to os.Stdin; while it is nil, the path
// "-" is an error.
var Stdin io.Reader

// standardInput names a picture from there in recipes and tables.
const standardInput = "standard input"

// standard reads Stdin once; an image set may be opened several times.
var standard = sync.OnceValues(func() ([]byte, error) { return all(Stdin) })

// endings are those by which image files are found in folders.
var endings = []string{".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}

// IsImage reports whether a file name has the extension of a supported image format.
func IsImage(name string) bool {
	return slices.Contains(endings, strings.ToLower(filepath.Ext(name)))
}

// load reads an image file, or standard input for "-".
func load(path string) (data []byte, err error) {
	if path == "-" {
		if Stdin == nil {
			return nil, fmt.Errorf("images: - means standard input, which is not available")
		}
		if data, err = standard(); err != nil {
			return nil, fmt.Errorf("images: standard input: %w", err)
		}
		return data, nil
	}
	f, err := paths.Open(path)
	if err != nil {
		return nil, fmt.Errorf("images: %w", err)
	}
	defer f.Close()
	if data, err = all(f); err != nil {
		return nil, fmt.Errorf("images: %s: %w", path, err)
	}
	return data, nil
}

func all(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if len(data) > maxBytes {
		err = fmt.Errorf("the file is larger than %d bytes", maxBytes)
	}
	return data, err
}

// Size returns the width and height of an image file in pixels, after the rotation that its
// Exif orientation asks for. The pixels are not decoded. Errors name the file.
func Size(path string) (w, h int, err error) {
	data, err := load(path)
	if err != nil {
		return 0, 0, err
	}
	f, err := formatOf(path, data)
	if err != nil {
		return 0, 0, err
	}
	if w, h, err = f.size(data); err != nil {
		return 0, 0, fmt.Errorf("images: %s is not a readable %s image: %w", path, f.name, err)
	}
	if f.orientation(data) >= 5 {
		w, h = h, w
	}
	return w, h, nil
}

// Turned reports whether a file's Exif orientation rotates or mirrors the picture.
func Turned(path string) bool {
	data, err := load(path)
	return err == nil && isTurned(data)
}

func isTurned(data []byte) bool {
	f, err := formatOf("", data)
	return err == nil && f.orientation(data) != 1
}

// TurnedNote returns a sentence that names the files whose Exif orientation was applied, or
// "" if there are none.
func TurnedNote(files []string) string {
	switch len(files) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("images: %s was turned as its Exif orientation says", files[0])
	}
	return fmt.Sprintf("images: %d files were turned as their Exif orientation says, the first is %s", len(files), files[0])
}

// Files returns the paths of image files: those in folders, sorted by name, and files as
// given. Folders are not searched recursively. The function warn, if not nil, is told about
// files that are skipped. A folder without image files is an error.
func Files(warn func(string), spec ...string) ([]string, error) { return expand(spec, warn) }

// expand lists the image files that a spec names: a folder stands for the image files
// in it, sorted by name. Dot files, among them what macOS writes beside each file of
// another system's disk (._NAME), are passed over.
func expand(spec []string, warn func(string)) (files []string, err error) {
	for _, p := range spec {
		if p == "-" {
			files = append(files, p)
			continue
		}
		st, err := os.Stat(p)
		if err != nil {
			return nil, fmt.Errorf("images: %w (expected %s)", err, expected())
		}
		if !st.IsDir() {
			files = append(files, p)
			continue
		}
		entries, err := os.ReadDir(p)
		if err != nil {
			return nil, fmt.Errorf("images: %w", err)
		}
		before, others := len(files), []string(nil)
		for _, e := range entries {
			switch name := e.Name(); {
			case strings.HasPrefix(name, "."), e.IsDir():
			case IsImage(name):
				files = append(files, filepath.Join(p, name))
			case name != LabelsFile:
				others = append(others, name)
			}
		}
		if len(files) == before {
			return nil, fmt.Errorf("images: the folder %s has no image file (%s)", p, strings.Join(endings, ", "))
		}
		if len(others) > 0 && warn != nil {
			warn(fmt.Sprintf("images: %s: %s", p, leftOut(others)))
		}
	}
	return files, nil
}

// leftOut says which files of a folder are no images.
func leftOut(names []string) string {
	count := map[string]int{}
	var kinds []string
	for _, n := range names {
		kind := strings.ToLower(filepath.Ext(n))
		if kind == "" {
			kind = "no ending"
		}
		if count[kind]++; count[kind] == 1 {
			kinds = append(kinds, kind)
		}
	}
	for i, k := range kinds {
		kinds[i] = fmt.Sprintf("%d %s", count[k], k)
	}
	if len(kinds) > 6 {
		kinds = append(kinds[:6], "…")
	}
	what := "files are no images and were"
	if len(names) == 1 {
		what = "file is no image and was"
	}
	return fmt.Sprintf("%d %s left out (%s)", len(names), what, strings.Join(kinds, ", "))
}
