package runs

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// packFile adds a file to an archive. Arrays and pictures hardly shrink and are
// stored, so that other programs can map them.
func packFile(z *zip.Writer, name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return packReader(z, name, f)
}

func packReader(z *zip.Writer, name string, r io.Reader) error {
	method := zip.Deflate
	if strings.HasSuffix(name, ".safetensors") || strings.HasSuffix(name, ".png") {
		method = zip.Store
	}
	w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method}) // without a time: the same run, the same bytes
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	return err
}

// pack writes the files of a run's manifest as an archive.
func pack(to io.Writer, dir string) error {
	m, err := readManifest(dir)
	if err != nil {
		return err
	}
	z := zip.NewWriter(to)
	for _, name := range m.listed() {
		if err := packFile(z, name, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return z.Close()
}

// mostDeflated is what a compressed file of an archive may unpack to: traces of long
// runs are the largest. Stored files are as large as the archive says they are.
const mostDeflated = 1 << 30

// unpackFile unpacks the archive of a run into a new folder and holds its files
// against their manifest.
func unpackFile(path, dir string) error {
	z, err := zip.OpenReader(path)
	if err != nil {
		return archiveError(path, err)
	}
	defer z.Close()
	if err := unpack(&z.Reader, "", dir); err != nil {
		return err
	}
	return verify(dir)
}

// unpack writes the files below prefix into a new folder.
func unpack(z *zip.Reader, prefix, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, f := range z.File {
		name, ok := strings.CutPrefix(f.Name, prefix)
		if !ok || strings.HasSuffix(name, "/") {
			continue
		}
		if !filepath.IsLocal(filepath.FromSlash(name)) || strings.ContainsAny(name, "\\\x00") {
			return &CorruptError{Dir: dir, Problem: fmt.Sprintf("the archive contains a file named %q", f.Name)}
		}
		if err := unpackOne(f, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

func unpackOne(f *zip.File, path string) error {
	if f.Method != zip.Store && f.UncompressedSize64 > mostDeflated {
		return &CorruptError{Dir: path, Problem: fmt.Sprintf("%s unpacks to %d bytes, more than the %d that are expected at most", f.Name, f.UncompressedSize64, mostDeflated)}
	}
	r, err := f.Open()
	if err != nil {
		return archiveError(path, err)
	}
	defer r.Close()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	w, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return &CorruptError{Dir: path, Problem: fmt.Sprintf("the archive contains %q twice", f.Name)}
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	err = archiveError(path, err)
	return errors.Join(err, w.Close())
}

// syncTree flushes what was unpacked, before it is renamed to a run.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return syncFile(path)
	})
}

// archiveError makes what is wrong with an archive a *CorruptError; errors of the
// file system stay what they are.
func archiveError(path string, err error) error {
	if errors.Is(err, zip.ErrFormat) || errors.Is(err, zip.ErrAlgorithm) || errors.Is(err, zip.ErrChecksum) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &CorruptError{Dir: path, Problem: "the archive: " + err.Error()}
	}
	var p *fs.PathError
	if err == nil || errors.As(err, &p) {
		return err
	}
	return &CorruptError{Dir: path, Problem: "the archive: " + err.Error()} // of the decompressor
}
