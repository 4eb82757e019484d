package place

import (
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

// Open opens a regular file for reading. Anything else is an error that says what it
// is; opening a FIFO to which nobody writes would wait forever.
func Open(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is a %s, expected a file", path, Kind(info.Mode()))
	}
	return os.Open(path)
}

// ReadFile reads a whole regular file (see Open).
func ReadFile(path string) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}
