package weights

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"path"
)

// archive is a zip file that torch.save has written: a folder of any name with
// data.pkl and one stored member data/KEY a storage.
type archive struct {
	root    string
	members map[string]*zip.File
	left    uint64 // bytes that may still be read: members do not overlap
	buf     []byte
}

// parseZip reads what torch.save has written since PyTorch 1.6.
func (f *File) parseZip(src source, key string) error {
	a, err := openArchive(src)
	if err != nil {
		return err
	}
	if _, script := a.members[path.Join(a.root, "constants.pkl")]; script {
		return fmt.Errorf("it is a TorchScript archive; save the state dict with torch.save instead")
	}
	if _, ok := a.members[path.Join(a.root, "byteorder")]; ok {
		if order, err := a.read("byteorder"); err != nil {
			return err
		} else if string(order) != "little" {
			return fmt.Errorf("byte order %.20q, expected little", order)
		}
	}
	all := storages{}
	object, err := a.unpickle("data.pkl", func(id pyTuple) (any, error) {
		return all.declared(id, func(s *storage) error {
			at, n, err := a.check(path.Join("data", s.key))
			if err != nil {
				return err
			}
			if held := n / int64(s.width()); held < int64(s.size) {
				return fmt.Errorf("storage %s declares %d elements, the archive holds %d", describe(s.key), s.size, held)
			}
			s.src, s.at, s.there = src, at, true
			return nil
		})
	})
	if err != nil {
		return err
	}
	return f.collect(object, key, src.size)
}

func openArchive(src source) (*archive, error) {
	z, err := zip.NewReader(src.r, src.size)
	if err != nil {
		return nil, err
	}
	a := &archive{members: map[string]*zip.File{}, left: uint64(src.size)}
	for _, f := range z.File {
		if _, twice := a.members[f.Name]; twice {
			return nil, fmt.Errorf("the archive holds %s twice", describe(f.Name))
		}
		a.members[f.Name] = f
		if path.Base(f.Name) == "data.pkl" {
			if a.root != "" {
				return nil, fmt.Errorf("the archive holds a data.pkl in %s and in %s", describe(a.root), describe(path.Dir(f.Name)))
			}
			a.root = path.Dir(f.Name)
		}
	}
	if a.root == "" {
		return nil, fmt.Errorf("the archive has no data.pkl")
	}
	return a, nil
}

// member finds one that is stored. torch.save stores without compression; a
// compressed member is refused, so that none can grow beyond the file.
func (a *archive) member(name string) (*zip.File, error) {
	f, ok := a.members[path.Join(a.root, name)]
	if !ok {
		return nil, fmt.Errorf("the archive has no member %s", describe(name))
	}
	if f.Method != zip.Store {
		return nil, fmt.Errorf("member %s is compressed; torch.save stores", describe(name))
	}
	if f.UncompressedSize64 != f.CompressedSize64 || f.UncompressedSize64 > a.left {
		return nil, fmt.Errorf("member %s declares %d bytes (%d stored), %d are left in the archive", describe(name), f.UncompressedSize64, f.CompressedSize64, a.left)
	}
	a.left -= f.UncompressedSize64
	return f, nil
}

// copy writes a member's bytes to w, its CRC checked.
func (a *archive) copy(w io.Writer, f *zip.File, name string) error {
	r, err := f.Open()
	if err != nil {
		return fmt.Errorf("member %s: %w", describe(name), err)
	}
	defer r.Close()
	if a.buf == nil {
		a.buf = make([]byte, min(f.UncompressedSize64+1, 1<<18))
	}
	n, err := io.CopyBuffer(w, struct{ io.Reader }{r}, a.buf) // the CRC is checked at the end
	if err == nil && uint64(n) != f.UncompressedSize64 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("member %s: %w", describe(name), err)
	}
	return nil
}

// unpickle reads a member that is a pickle, its CRC checked.
func (a *archive) unpickle(name string, load func(id pyTuple) (any, error)) (any, error) {
	f, err := a.member(name)
	if err != nil {
		return nil, err
	}
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("member %s: %w", describe(name), err)
	}
	defer r.Close()
	object, _, err := unpickle(r, int64(f.UncompressedSize64), load)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.Discard, r); err != nil { // the CRC is checked at the end
		return nil, fmt.Errorf("member %s: %w", describe(name), err)
	}
	return object, nil
}

// read returns the bytes of a member of a few.
func (a *archive) read(name string) ([]byte, error) {
	f, err := a.member(name)
	if err != nil {
		return nil, err
	}
	if f.UncompressedSize64 > maxKept {
		return nil, fmt.Errorf("member %s has %d bytes, expected at most %d", describe(name), f.UncompressedSize64, maxKept)
	}
	b := bytes.NewBuffer(make([]byte, 0, f.UncompressedSize64+bytes.MinRead))
	err = a.copy(b, f, name)
	return b.Bytes(), err
}

// check returns where a member's bytes lie in the file, after checking its CRC.
func (a *archive) check(name string) (at, size int64, err error) {
	f, err := a.member(name)
	if err != nil {
		return 0, 0, err
	}
	if err := a.copy(io.Discard, f, name); err != nil {
		return 0, 0, err
	}
	if at, err = f.DataOffset(); err != nil {
		return 0, 0, fmt.Errorf("member %s: %w", describe(name), err)
	}
	return at, int64(f.UncompressedSize64), nil
}
