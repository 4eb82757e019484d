package paths

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// WriteBytes is WriteFile for data in memory.
func WriteBytes(path string, data []byte) error {
	return WriteFile(path, func(f *os.File) error {
		_, err := f.Write(data)
		return err
	})
}

// WriteFile writes a file under a temporary name in its folder, syncs it and
// renames it, so that path never holds half a file. (os.CreateTemp would leave the
// file unreadable for the user's group.) A symbolic link stays, and the file that it
// points to is replaced. A device or a FIFO is written to; it is never replaced. A
// folder and a socket are errors.
func WriteFile(path string, write func(f *os.File) error) error {
	to, direct, err := target(path)
	if err == nil && direct != nil {
		err = writeTo(direct, write)
	} else if err == nil {
		err = replace(to, write)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// CheckFile returns an error if WriteFile cannot write to path: if it is a folder or a
// socket, in a folder that does not exist, or "-". Long commands call it first.
func CheckFile(path string) error {
	if path == "-" {
		return errors.New("writing -: standard output takes no files, expected the name of a file (./- for one that is called so)")
	}
	info, err := os.Stat(path)
	if err != nil {
		var to string
		if to, err = follow(path); err == nil {
			_, err = os.Stat(filepath.Dir(to))
		}
	} else if mode := info.Mode(); mode.IsDir() || mode&fs.ModeSocket != 0 {
		err = fmt.Errorf("it is a %s, expected a file", Kind(mode))
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// target returns the regular file that path stands for, which need not exist, or the
// open device, FIFO or standard stream.
func target(path string) (to string, direct *os.File, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		to, err = follow(path)
		return to, nil, err
	}
	if err != nil {
		return "", nil, err
	}
	switch mode := info.Mode(); {
	case mode.IsRegular():
		for _, f := range []*os.File{os.Stdout, os.Stderr} { // /dev/stdout, redirected to a file
			if at, err := f.Stat(); err == nil && os.SameFile(at, info) {
				return "", f, nil
			}
		}
		if to, err = filepath.EvalSymlinks(path); errors.Is(err, fs.ErrNotExist) { // it was removed just now
			to, err = follow(path)
		}
		return to, nil, err
	case mode.IsDir(), mode&fs.ModeSocket != 0:
		return "", nil, fmt.Errorf("it is a %s, expected a file", Kind(mode))
	}
	direct, err = os.OpenFile(path, os.O_WRONLY, 0)
	return "", direct, err
}

// follow resolves the links of a path at whose end nothing exists.
func follow(path string) (string, error) {
	for range 40 { // the kernel's own limit
		to, err := os.Readlink(path)
		if err != nil {
			return path, nil // no link
		}
		if !filepath.IsAbs(to) {
			dir, err := filepath.EvalSymlinks(filepath.Dir(path))
			if err != nil {
				return "", err
			}
			to = filepath.Join(dir, to)
		}
		path = to
	}
	return "", errors.New("too many symbolic links")
}

// writeTo writes to a file that was opened already. Only files that this process
// opened are closed.
func writeTo(f *os.File, write func(f *os.File) error) error {
	err := write(f)
	if f == os.Stdout || f == os.Stderr {
		return err
	}
	return errors.Join(err, f.Close())
}

// replace writes a file beside path and renames it to path.
func replace(path string, write func(f *os.File) error) (err error) {
	temporary := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%016x.part", filepath.Base(path), rand.Uint64()))
	f, err := os.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(temporary)
		}
	}()
	if err = write(f); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
