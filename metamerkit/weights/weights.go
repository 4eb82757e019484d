// Package weights reads weight files: PyTorch's zip files and legacy pickles, and
// safetensors. Nothing in a file is ever executed, and nothing is allocated that
// the file's own size does not bear out.
package weights

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/paths"
)

// Tensor is a named array. Exactly one of Float and Int is set, once it is loaded;
// half and double precision become float32 (doubles beyond its range ±Inf),
// integers and booleans int64. Elements are in C order. Of other types (float8, complex
// and quantized numbers) neither is ever set, and Load is an error.
type Tensor struct {
	Name  string
	Shape []int
	Float []float32
	Int   []int64
	DType string // as the file has it, in safetensors' words: F32, BF16, I64 …

	view *strided // where the elements lie in the file; nil for a tensor made otherwise
}

// File is a weight file that was read, or (Index) is open for reading.
type File struct {
	Path, Format, SHA256 string
	Tensors              map[string]*Tensor
	Metadata             map[string]string // safetensors' __metadata__
	// Key is the entry of a checkpoint that holds the state dict, such as
	// "state_dict" or "last.model"; "" when the file is one itself. Beside names the other
	// entries, which were passed over.
	Key    string
	Beside []string
	// Others are the entries with other state dicts of about that size, such as an average
	// of the weights, where Options.Key named none.
	Others []string

	f *os.File
}

// Options say how a file is read.
type Options struct {
	SHA256 string // lower-case hexadecimal, whole or its first digits; "": not known
	// Key is the entry of the checkpoint to read, such as "state_dict_ema" or "last.model";
	// "": the one with a usual name (state_dict, model, …), else the only one that has
	// tensors by name.
	Key string
}

// FormatError reports a file that is not what it should be. Without a Format the file was read,
// but holds other things than expected.
type FormatError struct{ Path, Format, Problem string }

func (e *FormatError) Error() string {
	if e.Format == "" {
		return fmt.Sprintf("weights: %s: %s", e.Path, e.Problem)
	}
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
// (a state dict, or a checkpoint that holds one; names are kept as they are, "module."
// included) or safetensors. A file that is none of these, is
// damaged or is hostile gives a *FormatError.
func Open(path string) (*File, error) { return openVerified(path, "") }

// openVerified is Open for a file whose SHA-256 (lower-case hexadecimal), or the
// first digits of it, are known; another sum is a *ChecksumError, and nothing of
// the file is looked at.
func openVerified(path, sum string) (*File, error) {
	f, err := Index(path, Options{SHA256: sum})
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := f.load(); err != nil {
		return nil, err
	}
	return f, nil
}

// Index checks a file's checksum and reads the names, types and shapes of its tensors. Their
// elements stay in the file until Tensor.Pieces or Tensor.Load reads them, so that large files
// need memory once. The caller closes the File.
func Index(path string, o Options) (*File, error) {
	h, size, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	got, err := sumOf(h, size)
	if err == nil && !strings.HasPrefix(got, o.SHA256) {
		err = &ChecksumError{path, got, o.SHA256}
	}
	var f *File
	if err == nil {
		f, err = index(path, source{h, size}, o.Key)
	}
	if err != nil {
		h.Close()
		return nil, err
	}
	f.f, f.SHA256 = h, got
	return f, nil
}

// Close closes the file of Index. Tensors that were loaded stay.
func (f *File) Close() error {
	if f.f == nil {
		return nil
	}
	return f.f.Close()
}

// load reads the elements of all tensors whose type is read.
func (f *File) load() error {
	for _, t := range f.Tensors {
		if !readable(t.DType) {
			continue
		}
		if err := t.Load(); err != nil {
			return &FormatError{f.Path, f.Format, fmt.Sprintf("%.500s", err)}
		}
	}
	return nil
}

func openRegular(path string) (*os.File, int64, error) {
	f, err := paths.Open(path)
	if kind := (*paths.KindError)(nil); errors.As(err, &kind) {
		return nil, 0, &FormatError{path, "weight", "it is a " + kind.Kind}
	}
	if err != nil {
		return nil, 0, fmt.Errorf("weights: %w", err)
	}
	s, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, fmt.Errorf("weights: %w", err)
	}
	if s.Size() > MaxBytes {
		f.Close()
		return nil, 0, &FormatError{path, "weight", fmt.Sprintf("expected a file of at most %d bytes, got one with %d", int64(MaxBytes), s.Size())}
	}
	return f, s.Size(), nil
}

func sumOf(r io.ReaderAt, size int64) (string, error) {
	h := sha256.New()
	n, err := io.CopyBuffer(h, struct{ io.Reader }{io.NewSectionReader(r, 0, size)}, make([]byte, min(size+1, 1<<20)))
	if err != nil || n != size {
		return "", fmt.Errorf("weights: reading %d bytes gave %d: %w", size, n, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Sum returns the SHA-256 of a file.
func Sum(path string) (string, error) {
	f, size, err := openRegular(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return sumOf(f, size)
}

// ReadVerified returns a file's bytes and their SHA-256, checked against sum, which
// may be its first digits only, or empty.
func ReadVerified(path, sum string) (data []byte, got string, err error) {
	f, _, err := openRegular(path)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
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
	f, err := index(path, source{bytes.NewReader(data), int64(len(data))}, "")
	if err != nil {
		return nil, err
	}
	return f, f.load()
}

// index finds the tensors of a file.
func index(path string, src source, key string) (*File, error) {
	f := &File{Path: path}
	head, err := src.bytes(0, min(src.size, 512))
	if err != nil {
		return nil, fmt.Errorf("weights: %s: %w", path, err)
	}
	switch {
	case len(head) == 0:
		return nil, &FormatError{path, "weight", "it is empty"}
	// First, since the length of a header may look like the beginning of a pickle.
	case len(head) > 8 && head[8] == '{':
		f.Format = "safetensors"
		if key != "" && key != anyArray {
			return nil, &FormatError{path, "", fmt.Sprintf("it has no entry %q: safetensors hold tensors only", key)}
		}
		f.Tensors, f.Metadata, err = parseSafetensors(src)
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		f.Format = "PyTorch zip"
		err = f.parseZip(src, key)
	case len(head) > 1 && head[0] == 0x80 && head[1] >= 2 && head[1] <= 5:
		f.Format = "PyTorch legacy"
		err = f.parseLegacy(src, key)
	default:
		return nil, &FormatError{path, "weight", mistaken(head)}
	}
	if err != nil {
		format := f.Format
		if content := (contentError{}); errors.As(err, &content) {
			format = ""
		}
		return nil, &FormatError{path, format, fmt.Sprintf("%.500s", err)}
	}
	return f, nil
}

// mistaken says what a file is that is none of the formats.
func mistaken(head []byte) string {
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
