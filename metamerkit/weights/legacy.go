package weights

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/big"
)

// parseLegacy reads what torch.save wrote before 1.6: pickles of a magic number, a
// protocol version and system facts, the object, the storages' keys, and then
// each storage as an element count and raw little-endian elements.
func (f *File) parseLegacy(src source, which string) error {
	all := storages{}
	var at int64 // of what was not read yet
	next := func() (any, error) {
		left := src.size - at
		object, length, err := unpickle(io.NewSectionReader(src.r, at, left), left, func(id pyTuple) (any, error) {
			return all.declared(id, func(s *storage) error {
				if int64(s.size) > left/int64(s.width()) {
					return fmt.Errorf("storage %s declares %d elements in a file that has %d bytes left", describe(s.key), s.size, left)
				}
				return nil
			})
		})
		at += length
		return object, err
	}
	magic, err := next()
	if err != nil {
		return err
	}
	if n, ok := magic.(*big.Int); !ok || n.Text(16) != "1950a86a20f9469cfc6c" {
		return fmt.Errorf("it is a pickle without PyTorch's magic number")
	}
	if v, err := next(); err != nil {
		return err
	} else if v != 1001 {
		return fmt.Errorf("it has the protocol version %s, expected 1001", describe(v))
	}
	if _, err := next(); err != nil { // facts about the machine; the elements are little-endian on all
		return err
	}
	object, err := next()
	if err != nil {
		return err
	}
	keys, err := next()
	if err != nil {
		return err
	}
	list, ok := keys.(*pyList)
	if !ok {
		return fmt.Errorf("the storage keys are %s, expected a list", describe(keys))
	}
	for _, k := range list.items {
		key, _ := k.(string)
		s, ok := all[key]
		if !ok || s.there {
			return fmt.Errorf("the file holds a storage %s that belongs to no tensor or came before", describe(k))
		}
		count := make([]byte, 8)
		left := src.size - at
		if left >= 8 {
			if err := src.read(count, at); err != nil {
				return err
			}
		}
		if left < 8 || binary.LittleEndian.Uint64(count) != uint64(s.size) || (left-8)/int64(s.width()) < int64(s.size) {
			return fmt.Errorf("storage %s of %d elements is cut short", describe(key), s.size)
		}
		s.src, s.at, s.there = src, at+8, true
		at += 8 + int64(s.size*s.width())
	}
	return f.collect(object, which, src.size)
}
