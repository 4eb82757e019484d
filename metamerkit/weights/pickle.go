package weights

import (
	"fmt"
	"math/big"
	"regexp"
)

// maxRank is the most dimensions that a tensor has, as in PyTorch.
const maxRank = 64

// dtypeName are the names of torch's element types.
var dtypeName = regexp.MustCompile(`^(float|bfloat|u?int|complex|q?u?int|bits|bool)[0-9a-z_]*$`)

// elementType stands for one of torch's element types, by PyTorch's name.
type elementType string

// global stands in for the few names that a state dict refers to. Any other name becomes a
// pyOther: checkpoints keep optimisers and the like beside the state dict.
func global(module, name string) any {
	full := module + "." + name
	if dtype, ok := storageTypes[full]; ok {
		return storageClass(dtype)
	}
	switch full {
	case "collections.OrderedDict":
		return callable(orderedDict)
	case "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor":
		return callable(rebuildTensor)
	case "torch._utils._rebuild_tensor_v3": // of types that have no storage class
		return callable(rebuildTyped)
	case "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state":
		return callable(func(_ *machine, args pyTuple) (any, error) {
			if len(args) == 0 {
				return nil, fmt.Errorf("_rebuild_parameter without arguments")
			}
			return args[0], nil
		})
	}
	if module == "torch" && dtypeName.MatchString(name) {
		return elementType(name)
	}
	return &pyOther{full}
}

// orderedDict makes one: empty, or of a list of pairs, as Python 2 wrote it.
func orderedDict(m *machine, args pyTuple) (any, error) {
	d := &pyDict{}
	if len(args) > 0 {
		if l, ok := args[0].(*pyList); ok {
			for _, v := range l.items {
				var pair []any
				switch v := v.(type) {
				case *pyList:
					pair = v.items
				case pyTuple:
					pair = v
				}
				if len(pair) == 2 {
					d.items = append(d.items, item{pair[0], pair[1]})
				}
			}
		}
	}
	return d, m.charge(48 + 64*len(d.items))
}

// describe shows a value out of a pickle in an error. Containers are named only:
// they may contain themselves, or double with each of many levels, and fmt would
// follow them.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case string:
		return fmt.Sprintf("%.100q", v)
	case *pyOther:
		return fmt.Sprintf("%.100s", v.name)
	case bool, int:
		return fmt.Sprint(v)
	case pyTuple:
		return fmt.Sprintf("a tuple of %d", len(v))
	case *pyList:
		return "a list"
	case *pyDict:
		return "a dictionary"
	case *strided:
		return "a tensor"
	case *storage:
		return "a storage"
	case elementType:
		return "torch." + string(v)
	case *big.Int:
		return "a long integer"
	}
	return "a function or class"
}
