package weights

import (
	"encoding/binary"
	"fmt"
	"math/big"

	"github.com/nlpodyssey/gopickle/types"
)

// parseLegacy reads what torch.save wrote before 1.6: pickles of a magic number, a
// protocol version and system facts, the object, the storages' keys, and then
// each storage as an element count and raw little-endian elements.
func parseLegacy(data []byte) (map[string]*Tensor, error) {
	fileSize := len(data)
	all := storages{}
	next := func() (any, error) {
		end, err := walk(data)
		if err != nil {
			return nil, err
		}
		text := data[:end]
		data = data[end:]
		return unpickle(text, func(id *types.Tuple) (any, error) {
			return all.declared(id, func(s *storage) error {
				if s.size > len(data)/width[s.dtype] {
					return fmt.Errorf("storage %s declares %d elements in a file that has %d bytes left", describe(s.key), s.size, len(data))
				}
				return nil
			})
		})
	}
	magic, err := next()
	if err != nil {
		return nil, err
	}
	if n, ok := magic.(*big.Int); !ok || n.Text(16) != "1950a86a20f9469cfc6c" {
		return nil, fmt.Errorf("it is a pickle without PyTorch's magic number")
	}
	if v, err := next(); err != nil {
		return nil, err
	} else if v != 1001 {
		return nil, fmt.Errorf("it has the protocol version %s, expected 1001", describe(v))
	}
	if _, err := next(); err != nil { // facts about the machine; the elements are little-endian on all
		return nil, err
	}
	object, err := next()
	if err != nil {
		return nil, err
	}
	keys, err := next()
	if err != nil {
		return nil, err
	}
	list, ok := keys.(*types.List)
	if !ok {
		return nil, fmt.Errorf("the storage keys are %s, expected a list", describe(keys))
	}
	for _, k := range *list {
		key, _ := k.(string)
		s, ok := all[key]
		if !ok || s.raw != nil {
			return nil, fmt.Errorf("the file holds a storage %s that belongs to no tensor or came before", describe(k))
		}
		if len(data) < 8 || binary.LittleEndian.Uint64(data) != uint64(s.size) || (len(data)-8)/width[s.dtype] < s.size {
			return nil, fmt.Errorf("storage %s of %d elements is cut short", describe(key), s.size)
		}
		n := 8 + s.size*width[s.dtype]
		s.raw, data = data[8:n:n], data[n:]
	}
	return collect(object, fileSize)
}
