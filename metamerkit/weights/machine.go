package weights

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Limits of the pickle machine.
const (
	maxDepth  = 1000      // marks open at once
	maxKept   = 4096      // bytes of a string that is kept; names of tensors are shorter
	maxMemory = 512 << 20 // bytes that values may take
	maxStack  = 1 << 22   // values on the stack
)

// Python values that a state dict needs. Strings, integers (int), booleans and None (nil)
// are Go's; everything else is a pyOther.
type (
	pyTuple []any
	pyList  struct{ items []any } // without its numbers, of which checkpoints keep long lists
	pyDict  struct{ items []item }
	pyOther struct{ name string } // what a state dict does not need
)

// item is an entry of a Python dictionary.
type item struct{ key, value any }

var (
	aFloat = &pyOther{"a float"}
	aLong  = &pyOther{"a long integer"}
	aText  = &pyOther{"a long string"}
	aBytes = &pyOther{"bytes"}
	aSet   = &pyOther{"a set"}
	anyone = &pyOther{"an object"}
)

// machine reads a pickle. It runs nothing of Python: a name that the pickle refers to becomes
// what global makes of it, and calling any other name gives a pyOther. Memory is bounded by
// maxMemory, whatever the pickle declares: long strings, numbers in lists, and what unknown
// objects are filled with are read and dropped. (PEP 307, PEP 3154, PEP 574 and the
// docstrings of Python's pickletools say what the opcodes do.)
type machine struct {
	r      *bufio.Reader
	at     int64 // bytes read
	size   int64 // bytes that there are
	stack  []any
	marks  []int // heights of the stack
	memo   map[uint32]any
	memory int
	global func(module, name string) any
	load   func(id pyTuple) (any, error) // a storage
}

// widths are the bytes of an opcode's number, or of the length of its string.
var widths = [256]int{'K': 1, 'M': 2, 'C': 1, 'B': 4, '\x8e': 8, '\x96': 8, '\x8a': 1, '\x8b': 4, 'U': 1, '\x8c': 1, 'X': 4, 'T': 4, '\x8d': 8}

// callable is a function of Python that is known here.
type callable func(m *machine, args pyTuple) (any, error)

var errShort = errors.New("the pickle is cut short")

// charge counts the memory of a new value.
func (m *machine) charge(bytes int) error {
	if m.memory += bytes; m.memory > maxMemory {
		return fmt.Errorf("the pickle holds values of more than %d bytes", maxMemory)
	}
	return nil
}

func (m *machine) malformed(what string) error {
	return fmt.Errorf("the pickle is malformed at byte %d: %s", m.at, what)
}

// bytes reads n bytes, at most a few.
func (m *machine) bytes(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(m.r, b); err != nil {
		return nil, errShort
	}
	m.at += int64(n)
	return b, nil
}

// number reads an unsigned little-endian number of up to eight bytes.
func (m *machine) number(width int) (uint64, error) {
	b, err := m.bytes(width)
	return binary.LittleEndian.Uint64(append(b, make([]byte, 8)...)), err
}

// blob reads a byte string whose length stands before it in width bytes. One that is longer
// than maxKept is skipped, and long is true.
func (m *machine) blob(width int) (b []byte, long bool, err error) {
	n, err := m.number(width)
	if err != nil {
		return nil, false, err
	}
	if left := m.size - m.at; n > uint64(max(left, 0)) {
		return nil, false, fmt.Errorf("the pickle declares %d bytes at byte %d, %d are left", n, m.at, left)
	}
	if n <= maxKept {
		b, err = m.bytes(int(n))
		return b, false, err
	}
	m.at += int64(n)
	if _, err := io.CopyN(io.Discard, m.r, int64(n)); err != nil {
		return nil, true, errShort
	}
	return nil, true, nil
}

// line reads up to the end of a line; of one that is longer than maxKept the beginning is kept.
func (m *machine) line() (text string, long bool, err error) {
	var b []byte
	for {
		c, err := m.r.ReadByte()
		if err != nil {
			return "", false, errShort
		}
		if m.at++; c == '\n' {
			return string(b), long, nil
		}
		if len(b) < maxKept {
			b = append(b, c)
		} else {
			long = true
		}
	}
}

func (m *machine) push(v any) { m.stack = append(m.stack, v) }

// bottom is the height below which nothing may be popped.
func (m *machine) bottom() int {
	if len(m.marks) > 0 {
		return m.marks[len(m.marks)-1]
	}
	return 0
}

func (m *machine) pop() (any, error) {
	if len(m.stack) <= m.bottom() {
		return nil, m.malformed("it takes a value from an empty stack")
	}
	v := m.stack[len(m.stack)-1]
	m.stack = m.stack[:len(m.stack)-1]
	return v, nil
}

func (m *machine) top() (any, error) {
	if len(m.stack) <= m.bottom() {
		return nil, m.malformed("it needs a value on an empty stack")
	}
	return m.stack[len(m.stack)-1], nil
}

// popMark returns the values above the last mark, valid until the next push.
func (m *machine) popMark() ([]any, error) {
	if len(m.marks) == 0 {
		return nil, m.malformed("it refers to a mark that does not exist")
	}
	at := m.bottom()
	m.marks = m.marks[:len(m.marks)-1]
	values := m.stack[at:]
	m.stack = m.stack[:at]
	return values, nil
}

// tuple pushes a tuple of values.
func (m *machine) tuple(values []any) error {
	m.push(append(pyTuple{}, values...))
	return m.charge(48 + 16*len(values))
}

// extend adds values to a list; into anything else they are dropped.
func (m *machine) extend(to any, values []any) error {
	l, ok := to.(*pyList)
	if !ok {
		return nil
	}
	for _, v := range values {
		switch v.(type) {
		case int, bool, nil:
		default:
			if v != aFloat {
				l.items = append(l.items, v)
				if err := m.charge(32); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// set adds pairs of keys and values to a dictionary; into anything else they are dropped.
func (m *machine) set(to any, pairs []any) error {
	if len(pairs)%2 != 0 {
		return m.malformed("a dictionary has a key without a value")
	}
	d, ok := to.(*pyDict)
	if !ok {
		return nil
	}
	for i := 0; i < len(pairs); i += 2 {
		d.items = append(d.items, item{pairs[i], pairs[i+1]})
	}
	return m.charge(32 * len(pairs))
}

// remember puts the top of the stack into the memo.
func (m *machine) remember(at uint32) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	m.memo[at] = v
	return m.charge(64)
}

func (m *machine) fromMemo(at uint32) error {
	v, ok := m.memo[at]
	if !ok {
		return m.malformed(fmt.Sprintf("it refers to value %d, which does not exist", at))
	}
	m.push(v)
	return nil
}

// name pushes what stands for a name of Python.
func (m *machine) name(module, name string) error {
	m.push(m.global(module, name))
	return m.charge(64 + len(module) + len(name))
}

// call replaces a callable and its arguments by the result.
func (m *machine) call(arguments int) error {
	var args any
	for range arguments {
		var err error
		if args, err = m.pop(); err != nil {
			return err
		}
	}
	f, err := m.pop()
	if err != nil {
		return err
	}
	switch f := f.(type) {
	case callable:
		t, ok := args.(pyTuple)
		if !ok {
			return m.malformed("the arguments of a call are no tuple")
		}
		v, err := f(m, t)
		if err != nil {
			return err
		}
		m.push(v)
	case *pyOther:
		m.push(f)
	default:
		m.push(anyone)
	}
	return nil
}

// integer reads the text of protocol 0 as a number.
func integer(text string) any {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	return aLong
}
