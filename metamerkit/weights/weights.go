// Package weights reads weight files: PyTorch's zip files and legacy pickles, and
// safetensors. Nothing in a file is ever executed, and nothing is allocated that
// the file's own size does not bear out.
package weights

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
)

// Tensor is a named array. Exactly one of Float and Int is set; half and double
// precision become float32 (doubles beyond its range ±Inf), integers and booleans
// int64. Elements are in C order.
type Tensor struct {
	Name  string
	Shape []int
	Float []float32
	Int   []int64
	DType string // as the file has it, in safetensors' words: F32, BF16, I64 …
}

// File is a weight file that was read.
type File struct {
	Path, Format, SHA256 string
	Tensors              map[string]*Tensor
	Metadata             map[string]string // safetensors' __metadata__
}

// FormatError reports a file that is not what it should be.
type FormatError struct{ Path, Format, Problem string }

func (e *FormatError) Error() string {
	return fmt.Sprintf("weights: %s is not a readable %s file: %s", e.Path, e.Format, e.Problem)
}

// ChecksumError reports a file with another SHA-256 than expected.
type ChecksumError struct{ Path, Got, Want string }

func (e *ChecksumError) Error() string {
	return fmt.Sprintf("weights: %s has the SHA-256 %s, expected %s: the file is damaged or another version", e.Path, e.Got, e.Want)
}

// MaxBytes is the largest file that Open reads (64 GiB).
const MaxBytes = 64 << 30

// Open reads a file, recognising its format by its content: what torch.save writes
// (a state dict, alone or under the key "state_dict" or "model"; names are kept as
// they are, "module." included) or safetensors. A file that is none of these, is
// damaged or is hostile gives a *FormatError.
func Open(path string) (*File, error) { return OpenVerified(path, "") }

// OpenVerified is Open for a file whose SHA-256 (lower-case hexadecimal), or the
// first digits of it, are known; another sum is a *ChecksumError, and nothing of
// the file is looked at.
func OpenVerified(path, sum string) (*File, error) {
	data, got, err := ReadVerified(path, sum)
	if err != nil {
		return nil, err
	}
	f, err := Parse(path, data)
	if err != nil {
		return nil, err
	}
	f.SHA256 = got
	return f, nil
}

// ReadVerified returns a file's bytes and their SHA-256, checked against sum, which
// may be its first digits only, or empty.
func ReadVerified(path, sum string) (data []byte, got string, err error) {
	if s, err := os.Stat(path); err != nil {
		return nil, "", fmt.Errorf("weights: %w", err)
	} else if !s.Mode().IsRegular() || s.Size() > MaxBytes {
		return nil, "", &FormatError{path, "weight", fmt.Sprintf("expected a regular file of at most %d bytes, got %v with %d bytes", int64(MaxBytes), s.Mode(), s.Size())}
	}
	if data, err = os.ReadFile(path); err != nil {
		return nil, "", fmt.Errorf("weights: %w", err)
	}
	h := sha256.Sum256(data)
	if got = hex.EncodeToString(h[:]); !strings.HasPrefix(got, sum) {
		return nil, "", &ChecksumError{path, got, sum}
	}
	return data, got, nil
}

// Parse reads the bytes of a file; path only names it in errors.
func Parse(path string, data []byte) (*File, error) {
	f := &File{Path: path}
	var err error
	switch {
	case len(data) == 0:
		return nil, &FormatError{path, "weight", "it is empty"}
	// First, since the length of a header may look like the beginning of a pickle.
	case len(data) > 8 && data[8] == '{':
		f.Format = "safetensors"
		f.Tensors, f.Metadata, err = parseSafetensors(data)
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		f.Format = "PyTorch zip"
		f.Tensors, err = parseZip(data)
	case len(data) > 1 && data[0] == 0x80 && data[1] >= 2 && data[1] <= 5:
		f.Format = "PyTorch legacy"
		f.Tensors, err = parseLegacy(data)
	default:
		return nil, &FormatError{path, "weight", mistaken(data)}
	}
	if err != nil {
		return nil, &FormatError{path, f.Format, fmt.Sprintf("%.500s", err)}
	}
	return f, nil
}

// mistaken says what a file is that is none of the formats.
func mistaken(data []byte) string {
	head := data[:min(len(data), 512)]
	text := bytes.ToLower(bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\ufeff"))))
	for _, tag := range []string{"<!doctype", "<html", "<head", "<!--", "<?xml"} {
		if bytes.HasPrefix(text, []byte(tag)) {
			return "it is an HTML page; a download went wrong"
		}
	}
	if bytes.HasPrefix(text, []byte("version https://git-lfs")) {
		return "it is a Git LFS pointer; fetch the file itself (git lfs pull)"
	}
	return fmt.Sprintf("it begins with %q, expected a PyTorch zip or pickle file or safetensors", head[:min(len(head), 16)])
}
