package weights

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"path"

	"github.com/nlpodyssey/gopickle/types"
)

// archive is a zip file that torch.save has written: a folder of any name with
// data.pkl and one stored member data/KEY a storage.
type archive struct {
	root    string
	members map[string]*zip.File
	left    uint64 // bytes that may still be read: members do not overlap
}

// parseZip reads what torch.save has written since PyTorch 1.6.
func parseZip(data []byte) (map[string]*Tensor, error) {
	a, err := openArchive(data)
	if err != nil {
		return nil, err
	}
	if _, script := a.members[path.Join(a.root, "constants.pkl")]; script {
		return nil, fmt.Errorf("it is a TorchScript archive; save the state dict with torch.save instead")
	}
	if _, ok := a.members[path.Join(a.root, "byteorder")]; ok {
		if order, err := a.read("byteorder"); err != nil {
			return nil, err
		} else if string(order) != "little" {
			return nil, fmt.Errorf("byte order %.20q, expected little", order)
		}
	}
	text, err := a.read("data.pkl")
	if err != nil {
		return nil, err
	}
	end, err := walk(text)
	if err != nil {
		return nil, err
	}
	all := storages{}
	object, err := unpickle(text[:end], func(id *types.Tuple) (any, error) {
		return all.declared(id, func(s *storage) (err error) {
			if s.raw, err = a.read(path.Join("data", s.key)); err != nil {
				return err
			}
			if held := len(s.raw) / width[s.dtype]; held < s.size {
				return fmt.Errorf("storage %s declares %d elements, the archive holds %d", describe(s.key), s.size, held)
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return collect(object, len(data))
}

func openArchive(data []byte) (*archive, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	a := &archive{members: map[string]*zip.File{}, left: uint64(len(data))}
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

// read returns a member's bytes, its CRC checked. torch.save stores without
// compression; a compressed member is refused, so that none can grow beyond the file.
func (a *archive) read(name string) ([]byte, error) {
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
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("member %s: %w", describe(name), err)
	}
	defer r.Close()
	b := make([]byte, f.UncompressedSize64)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("member %s: %w", describe(name), err)
	}
	if _, err := r.Read(make([]byte, 1)); err != io.EOF { // the CRC is checked at the end
		return nil, fmt.Errorf("member %s: %w", describe(name), err)
	}
	return b, nil
}
