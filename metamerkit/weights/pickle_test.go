package weights

import (
	"strings"
	"testing"
)

func TestHostilePickles(t *testing.T) {
	float := func(n int) string { return storagePickle("FloatStorage", n) }
	four := float(4)
	view := func(offset int, shape, strides string) string {
		return statePickle(tensorPickle(four, offset, shape, strides))
	}
	list := "\x80\x02]q\x00h\x00a" // a list that contains itself, also memo 0
	nest := "\x80\x02)q\x00"       // tuples of two of the one before: 2^60 leaves
	for i := range 60 {
		nest += "0h" + string(rune(i)) + "h" + string(rune(i)) + "\x86q" + string(rune(i+1))
	}
	big := 1 << 60
	for name, c := range map[string]struct{ object, text string }{
		"os.system":           {"\x80\x02cposix\nsystem\n" + str("ls") + "\x85R.", "posix.system"},
		"os.system, stack":    {"\x80\x04" + str("os") + str("system") + "\x93.", "os.system"},
		"eval":                {"\x80\x02c__builtin__\neval\n" + str("1") + "\x85R.", "__builtin__.eval"},
		"unknown class":       {"\x80\x02cnumpy.core.multiarray\n_reconstruct\n.", "numpy.core.multiarray._reconstruct"},
		"old class opcode":    {"\x80\x02(ios\nsystem\n.", "opcode 0x69"},
		"extension":           {"\x80\x02\x82\x01.", "opcode 0x82"},
		"empty":               {".", ""},
		"no stop":             {"\x80\x02N", ""},
		"popping nothing":     {"\x80\x020000.", ""},
		"odd dictionary":      {"\x80\x02}(Nu.", "malformed"},
		"empty long":          {"\x80\x02\x8a\x00.", "it holds 0"},
		"bytes as key":        {"\x80\x02ccollections\nOrderedDict\n)RC\x01aNs.", "it has bytes"},
		"string bomb":         {"\x80\x02X\xff\xff\xff\xff.", "declares 4294967295 bytes"},
		"bytes bomb":          {"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.", "declares 9223372036854775807 bytes"},
		"frame bomb":          {"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.", "frame"},
		"long of quadratic":   {"\x80\x02\x8b\x00\x00\x00\x01", "bytes at byte"},
		"line of quadratic":   {"\x80\x02L" + strings.Repeat("9", 5000) + "\n.", "a long integer"},
		"marks":               {"\x80\x02" + strings.Repeat("(", 5000) + ".", "deeper than 1000"},
		"cyclic object":       {list + ".", "expected a state dict"},
		"cyclic id":           {list + "\x85Q.", "persistent id"},
		"cyclic id in tuple":  {list + "0(h\x00h\x00h\x00h\x00h\x00tQ.", "persistent id"},
		"cyclic size":         {list + "0(" + str("storage") + "ctorch\nFloatStorage\n" + str("0") + str("cpu") + "h\x00tQ.", "the size a list"},
		"cyclic call":         {list + "h\x00\x85R.", "expected a state dict"},
		"cyclic tensor":       {list + "0ctorch._utils\n_rebuild_tensor_v2\n(h\x00h\x00h\x00h\x00tR.", "storage a list"},
		"cyclic shape":        {list + "0" + statePickle(tensorPickle(four, 0, "(h\x00t", "(h\x00t"))[2:], "a tuple of 1"},
		"cyclic name":         {list + "0}h\x00" + tensorPickle(four, 0, tuple(4), tuple(1)) + "s.", "the name of a tensor is a list"},
		"doubling id":         {nest + "Q.", "persistent id"},
		"doubling object":     {nest + ".", "expected a state dict"},
		"doubling offset":     {nest + "0ctorch._utils\n_rebuild_tensor_v2\n(h\x30h\x30h\x30h\x30tR.", "tensor has the storage"},
		"cyclic dictionary":   {"\x80\x02}q\x00" + str("state_dict") + "h\x00s.", "no tensors"},
		"no id tuple":         {"\x80\x02NQ.", "persistent id is None"},
		"huge storage":        {statePickle(tensorPickle(float(big), 0, tuple(4), tuple(1))), "1152921504606846976 elements"},
		"negative storage":    {statePickle(tensorPickle(float(-1), 0, tuple(4), tuple(1))), "size -1"},
		"unknown storage":     {statePickle(tensorPickle(storagePickle("FrobStorage", 2), 0, tuple(1), tuple(1))), "torch.FrobStorage"},
		"two types":           {statePickle(tensorPickle(four, 0, tuple(4), tuple(1)), tensorPickle(storagePickle("IntStorage", 4), 0, tuple(4), tuple(1))), "as 4 F32 and as 4 I32"},
		"two sizes":           {statePickle(tensorPickle(four, 0, tuple(4), tuple(1)), tensorPickle(float(3), 0, tuple(3), tuple(1))), "as 4 F32 and as 3 F32"},
		"negative shape":      {view(0, tuple(-1), tuple(1)), "negative dimension"},
		"two negative shapes": {view(0, tuple(-2, -2), tuple(2, 1)), "negative dimension"},
		"shape overflow":      {view(0, tuple(1<<32, 1<<32), tuple(0, 0)), "elements"},
		"repeated elements":   {view(0, tuple(1<<20), tuple(0)), "bytes of memory"},
		"outside":             {view(0, tuple(5), tuple(1)), "outside its storage of 4"},
		"outside by offset":   {view(4, tuple(1), tuple(1)), "offset 4"},
		"scalar outside":      {view(4, tuple(), tuple()), "offset 4"},
		"huge offset":         {view(1<<62, tuple(1), tuple(1)), "offset"},
		"negative offset":     {view(-1, tuple(1), tuple(1)), "offset -1"},
		"outside by stride":   {view(0, tuple(2), tuple(4)), "outside"},
		"stride overflow":     {view(0, tuple(3, 3), tuple(1<<62, 1<<62)), "outside"},
		"negative stride":     {view(3, tuple(4), tuple(-1)), "outside"},
		"fewer strides":       {view(0, tuple(2, 2), tuple(1)), "strides"},
		"65 dimensions":       {view(0, tuple(make([]int, 65)...), tuple(make([]int, 65)...)), "at most 64"},
		"number as shape":     {view(0, num(4), tuple(1)), "the shape 4"},
		"few arguments":       {"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.", "0 arguments"},
		"bare parameter":      {"\x80\x02ctorch._utils\n_rebuild_parameter\n)R.", "without arguments"},
		"number as name":      {"\x80\x02}K\x01" + tensorPickle(four, 0, tuple(4), tuple(1)) + "s.", "name of a tensor is 1"},
		"nothing":             {"\x80\x02}.", "no tensors"},
	} {
		for format, data := range map[string]string{"PyTorch zip": asZip(c.object), "PyTorch legacy": asLegacy(c.object)} {
			var err error
			used := allocated(func() { _, err = Parse(name, []byte(data)) })
			e := formatError(t, format+", "+name, err)
			if e == nil {
				continue
			}
			if e.Format != "" && e.Format != format || !strings.Contains(e.Problem, c.text) {
				t.Errorf("%s: %v, expected %q in it", name, err, c.text)
			}
			if used > 1<<20 {
				t.Errorf("%s, %s: %d bytes are allocated for a file of %d", format, name, used, len(data))
			}
		}
	}
	for format, data := range map[string]string{"zip": asZip(view(0, tuple(4), tuple(1))), "legacy": asLegacy(view(0, tuple(4), tuple(1)))} {
		if f, err := Parse(format, []byte(data)); err != nil || len(f.Tensors["a"].Float) != 4 {
			t.Errorf("the %s file that the others are made from gives %v", format, err)
		}
	}
}

func TestHostileLegacyStorages(t *testing.T) {
	object := statePickle(tensorPickle(storagePickle("FloatStorage", 4), 0, tuple(4), tuple(1)))
	block := "\x04\x00\x00\x00\x00\x00\x00\x00" + strings.Repeat("\x00", 16)
	keys := func(names ...string) string {
		s := "\x80\x02]"
		for _, n := range names {
			s += str(n) + "a"
		}
		return s + "."
	}
	for name, c := range map[string]struct{ rest, text string }{
		"repeated key": {keys("0", "0") + block + block, "came before"},
		"unknown key":  {keys("1") + block, "belongs to no tensor"},
		"no key":       {keys() + block, "elements of tensor \"a\" are missing"},
		"no list":      {"\x80\x02}." + block, "expected a list"},
		"other size":   {keys("0") + "\x05" + block[1:], "cut short"},
		"huge size":    {keys("0") + "\xff\xff\xff\xff\xff\xff\xff\xff" + block[8:], "cut short"},
		"no storage":   {keys("0") + block[:20], "cut short"},
		"endless":      {strings.Repeat("N", maxStack+1), "stacks more than"},
		"no keys":      {"", "cut short"},
	} {
		_, err := Parse(name, []byte(magic+object+c.rest))
		if e := formatError(t, name, err); e != nil && !strings.Contains(e.Problem, c.text) {
			t.Errorf("%s: %v, expected %q in it", name, err, c.text)
		}
	}
	_, err := Parse("version", []byte(strings.Replace(magic, "M\xe9\x03", "M\xe8\x03", 1)+object))
	if e := formatError(t, "version", err); e != nil && !strings.Contains(e.Problem, "version 1000, expected 1001") {
		t.Error(err)
	}
}
