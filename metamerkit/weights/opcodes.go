package weights

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/big"
	"strings"
)

// unpickle reads the pickle of at most size bytes at the beginning of r, and returns its
// object and its length.
func unpickle(r io.Reader, size int64, load func(id pyTuple) (any, error)) (object any, length int64, err error) {
	m := &machine{r: bufio.NewReaderSize(r, int(min(size+16, 1<<16))), size: size, memo: map[uint32]any{}, global: global, load: load}
	for {
		op, err := m.r.ReadByte()
		if err != nil || m.at >= size {
			return nil, 0, errShort
		}
		m.at++
		if op == '.' {
			object, err := m.pop()
			return object, m.at, err
		}
		if err := m.step(op); err != nil {
			return nil, 0, err
		}
		if len(m.stack) > maxStack {
			return nil, 0, fmt.Errorf("the pickle stacks more than %d values", maxStack)
		}
	}
}

// step carries one opcode out.
func (m *machine) step(op byte) error {
	switch op {
	case '\x80': // protocol
		_, err := m.bytes(1)
		return err
	case '\x95': // frame: what is inside is read like the rest
		n, err := m.number(8)
		if err == nil && n > uint64(max(m.size-m.at, 0)) {
			err = fmt.Errorf("the pickle declares a frame longer than itself")
		}
		return err
	case '(':
		if m.marks = append(m.marks, len(m.stack)); len(m.marks) > maxDepth {
			return fmt.Errorf("the pickle nests deeper than %d", maxDepth)
		}
		return nil
	case '0', '1', '2':
		return m.discard(op)
	case 'N':
		m.push(nil)
	case '\x88', '\x89':
		m.push(op == '\x88')
	case 'K', 'M', 'J', '\x8a', '\x8b', 'I', 'L':
		return m.int(op)
	case 'G':
		m.push(aFloat)
		_, err := m.bytes(8)
		return err
	case 'F':
		m.push(aFloat)
		_, _, err := m.line()
		return err
	case 'U', '\x8c', 'X', 'T', '\x8d', 'S', 'V':
		return m.text(op)
	case 'C', 'B', '\x8e', '\x96':
		m.push(aBytes)
		_, _, err := m.blob(widths[op])
		return err
	case ')', '\x85', '\x86', '\x87', 't', ']', 'l', 'a', 'e', '}', 'd', 's', 'u', '\x8f', '\x90', '\x91':
		return m.collect(op)
	case 'h', 'q', 'j', 'r', '\x94', 'p', 'g':
		return m.remembered(op)
	case 'c', '\x93', 'R', '\x81', '\x92', 'b', 'Q':
		return m.object(op)
	default:
		return fmt.Errorf("the pickle has the opcode 0x%02x at byte %d, which no checkpoint needs", op, m.at-1)
	}
	return nil
}

func (m *machine) discard(op byte) error {
	var err error
	switch op {
	case '0':
		if n := len(m.marks); n > 0 && m.bottom() == len(m.stack) {
			m.marks = m.marks[:n-1]
			return nil
		}
		_, err = m.pop()
	case '1':
		_, err = m.popMark()
	case '2':
		var v any
		if v, err = m.top(); err == nil {
			m.push(v)
		}
	}
	return err
}

func (m *machine) int(op byte) error {
	switch op {
	case 'K', 'M':
		n, err := m.number(widths[op])
		m.push(int(n))
		return err
	case 'J':
		n, err := m.number(4)
		m.push(int(int32(n)))
		return err
	case '\x8a', '\x8b':
		b, long, err := m.blob(widths[op])
		switch {
		case err != nil || long || len(b) > 16:
			m.push(aLong)
		case len(b) > 8: // PyTorch's magic number is one
			for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
				b[i], b[j] = b[j], b[i]
			}
			m.push(new(big.Int).SetBytes(b))
		default:
			sign := byte(0)
			if len(b) > 0 && b[len(b)-1]&0x80 != 0 {
				sign = 0xff
			}
			for len(b) < 8 {
				b = append(b, sign)
			}
			m.push(int(binary.LittleEndian.Uint64(b)))
		}
		return err
	}
	text, _, err := m.line()
	switch {
	case op == 'I' && (text == "00" || text == "01"):
		m.push(text == "01")
	default:
		m.push(integer(strings.TrimSuffix(text, "L")))
	}
	return err
}

func (m *machine) text(op byte) error {
	var s string
	var long bool
	var err error
	if op == 'S' || op == 'V' {
		if s, long, err = m.line(); op == 'S' && len(s) > 1 {
			s = s[1 : len(s)-1] // quotes
		}
	} else {
		var b []byte
		b, long, err = m.blob(widths[op])
		s = string(b)
	}
	if err != nil {
		return err
	}
	if long {
		m.push(aText)
		return nil
	}
	m.push(s)
	return m.charge(32 + len(s))
}

// collect carries out what makes and fills tuples, lists, dictionaries and sets.
func (m *machine) collect(op byte) error {
	switch op {
	case ')':
		return m.tuple(nil)
	case '\x85', '\x86', '\x87':
		n := int(op - '\x84')
		if len(m.stack)-n < m.bottom() {
			return m.malformed("a tuple has fewer values than it says")
		}
		values := m.stack[len(m.stack)-n:]
		m.stack = m.stack[:len(m.stack)-n]
		return m.tuple(values)
	case ']':
		m.push(&pyList{})
		return m.charge(48)
	case '}':
		m.push(&pyDict{})
		return m.charge(48)
	case '\x8f':
		m.push(aSet)
		return nil
	case 'a', 's':
		n := 1
		if op == 's' {
			n = 2
		}
		if len(m.stack)-n < m.bottom() {
			return m.malformed("it adds items but has none")
		}
		values := m.stack[len(m.stack)-n:]
		m.stack = m.stack[:len(m.stack)-n]
		return m.add(op == 's', values)
	}
	values, err := m.popMark()
	if err != nil {
		return err
	}
	switch op {
	case 't':
		return m.tuple(values)
	case 'l':
		l := &pyList{}
		err = m.extend(l, values)
		m.push(l)
	case 'd':
		d := &pyDict{}
		err = m.set(d, values)
		m.push(d)
	case '\x91':
		m.push(aSet)
	default: // e, u, and \x90 of sets
		return m.add(op == 'u', values)
	}
	return err
}

// add fills what is on top of the stack.
func (m *machine) add(pairs bool, values []any) error {
	to, err := m.top()
	if err != nil {
		return err
	}
	if pairs {
		return m.set(to, values)
	}
	return m.extend(to, values)
}

func (m *machine) remembered(op byte) error {
	var at uint64
	var err error
	switch op {
	case 'h', 'q':
		at, err = m.number(1)
	case 'j', 'r':
		at, err = m.number(4)
	case '\x94':
		at = uint64(len(m.memo))
	default:
		var text string
		text, _, err = m.line()
		n, ok := integer(text).(int)
		if err == nil && (!ok || n < 0 || n > 1<<31) {
			err = m.malformed("the number of a value is no number")
		}
		at = uint64(max(n, 0))
	}
	if err != nil {
		return err
	}
	if op == 'h' || op == 'j' || op == 'g' {
		return m.fromMemo(uint32(at))
	}
	return m.remember(uint32(at))
}

// object carries out what Python would run: names, calls, states and storages.
func (m *machine) object(op byte) error {
	switch op {
	case 'c':
		module, _, err := m.line()
		if err != nil {
			return err
		}
		name, _, err := m.line()
		if err != nil {
			return err
		}
		return m.name(module, name)
	case '\x93':
		name, err := m.pop()
		if err != nil {
			return err
		}
		module, err := m.pop()
		if err != nil {
			return err
		}
		a, ok1 := module.(string)
		b, ok2 := name.(string)
		if !ok1 || !ok2 {
			return m.malformed("a name is no string")
		}
		return m.name(a, b)
	case 'R', '\x81':
		return m.call(1)
	case '\x92': // with keyword arguments
		return m.call(2)
	case 'b': // the state of an object, such as a state dict's _metadata
		if _, err := m.pop(); err != nil {
			return err
		}
		_, err := m.top()
		return err
	}
	id, err := m.pop()
	if err != nil {
		return err
	}
	t, ok := id.(pyTuple)
	if !ok || m.load == nil {
		return fmt.Errorf("a persistent id is %s, expected a storage", describe(id))
	}
	v, err := m.load(t)
	m.push(v)
	return err
}
