package paths

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Kind names what a file is: file, folder, FIFO, socket or device.
func Kind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "folder"
	case mode&fs.ModeNamedPipe != 0:
		return "FIFO"
	case mode&fs.ModeSocket != 0:
		return "socket"
	case mode&fs.ModeDevice != 0:
		return "device"
	}
	return "file"
}

// KindError reports a path that is no regular file.
type KindError struct{ Path, Kind string }

func (e *KindError) Error() string { return fmt.Sprintf("%s is a %s, expected a file", e.Path, e.Kind) }

// Open opens a regular file for reading. Anything else is a *KindError: opening a FIFO to
// which nobody writes would wait forever.
func Open(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &KindError{path, Kind(info.Mode())}
	}
	return os.Open(path)
}

// ReadText reads a whole regular file of text in UTF-8, without the byte order mark that
// some editors put first.
func ReadText(path string) ([]byte, error) {
	data, err := ReadFile(path)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return nil, fmt.Errorf("%s is in UTF-16, expected UTF-8", path)
	}
	return bytes.TrimPrefix(data, []byte(BOM)), nil
}

// BOM is the byte order mark in UTF-8.
const BOM = "\ufeff"

// ReadFile reads a whole regular file (see Open).
func ReadFile(path string) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}
