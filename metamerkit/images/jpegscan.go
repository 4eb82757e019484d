package images

import "fmt"

// huffman is a table of codes (ITU T.81, annex C).
type huffman struct {
	values []byte
	last   [17]int       // largest code of each length; -1: none
	offset [17]int       // what a code of a length is short of its value's place
	fast   [1 << 9]int16 // length<<8 | value of codes of at most 9 bits; 0: longer
}

func (f *jpegFile) huffmanTables(body []byte) error {
	for len(body) > 0 {
		if len(body) < 17 || body[0]>>4 > 1 || body[0]&15 > 3 {
			return fmt.Errorf("a Huffman table is damaged")
		}
		t, n, code := &huffman{}, 0, 0
		for l := 1; l <= 16; l++ {
			count := int(body[l])
			t.offset[l], t.last[l] = n-code, code+count-1
			if count == 0 {
				t.last[l] = -1
			}
			n, code = n+count, code+count
			if code > 1<<l {
				return fmt.Errorf("a Huffman table has more codes than fit")
			}
			code <<= 1
		}
		if n > 256 || len(body) < 17+n {
			return fmt.Errorf("a Huffman table is damaged")
		}
		t.values = body[17 : 17+n]
		for l := 1; l <= 9; l++ {
			for c := t.last[l] - int(body[l]) + 1; c <= t.last[l]; c++ {
				for i := c << (9 - l); i < (c+1)<<(9-l); i++ {
					t.fast[i] = int16(l<<8) | int16(t.values[t.offset[l]+c])
				}
			}
		}
		f.tables[body[0]>>4][body[0]&15], body = t, body[17+n:]
	}
	return nil
}

// scanState reads the coded blocks of one scan.
type scanState struct {
	data       []byte
	at         int    // of the next byte
	bits       uint64 // the lowest n are unread
	n          int
	first, end int  // coefficients of the scan, in the file's order
	low        uint // bits that later scans refine
	refines    bool
	run        int // blocks that hold nothing more in this band
	short      bool
}

// peek returns the next l bits, at most 16; behind the end they are 0.
func (s *scanState) peek(l int) int {
	for s.n < l && s.at < len(s.data) {
		b := s.data[s.at]
		if b == 0xff {
			if s.at+1 >= len(s.data) || s.data[s.at+1] != 0 {
				break // a marker
			}
			s.at++
		}
		s.at++
		s.bits, s.n = s.bits<<8|uint64(b), s.n+8
	}
	if s.n < l {
		return int(s.bits<<(l-s.n)) & (1<<l - 1)
	}
	return int(s.bits>>(s.n-l)) & (1<<l - 1)
}

// skip goes past l bits.
func (s *scanState) skip(l int) {
	if l > s.n {
		s.short, s.n = true, l
	}
	s.n -= l
}

func (s *scanState) take(l int) int {
	v := s.peek(l)
	s.skip(l)
	return v
}

// symbol reads a coded value; -1: the bits are no code.
func (s *scanState) symbol(t *huffman) int {
	if e := t.fast[s.peek(9)]; e != 0 {
		s.skip(int(e >> 8))
		return int(e & 255)
	}
	code := s.peek(16)
	for l := 10; l <= 16; l++ {
		if c := code >> (16 - l); c <= t.last[l] {
			s.skip(l)
			return int(t.values[t.offset[l]+c])
		}
	}
	return -1
}

// signed reads a number of l bits whose first bit is 0 if it is negative.
func (s *scanState) signed(l int) int {
	v := s.take(l)
	if l > 0 && v < 1<<(l-1) {
		v -= 1<<l - 1
	}
	return v
}

// scan reads a scan's header and blocks.
func (f *jpegFile) scan(body []byte) error {
	if f.components == nil {
		return fmt.Errorf("a scan comes before the frame header")
	}
	if len(body) < 1 || len(body) < 4+2*int(body[0]) || body[0] < 1 || body[0] > 4 {
		return fmt.Errorf("a scan's header is damaged")
	}
	n := int(body[0])
	var parts []*part
	size := 0
	for i := range n {
		id, tables := body[1+2*i], body[2+2*i]
		var p *part
		for j := range f.components {
			if c := &f.components[j]; c.id == id {
				p = &part{component: c}
			}
		}
		if p == nil || tables>>4 > 3 || tables&15 > 3 {
			return fmt.Errorf("a scan has the component %d with tables %d and %d, which the file does not have", id, tables>>4, tables&15)
		}
		for _, other := range parts {
			if other.component == p.component {
				return fmt.Errorf("a scan has the component %d twice", id)
			}
		}
		p.dc, p.ac = f.tables[0][tables>>4], f.tables[1][tables&15]
		if p.quant == nil {
			p.quant = f.quant[p.table]
		}
		if p.quant == nil {
			return fmt.Errorf("component %d has no quantisation table", id)
		}
		size += p.h * p.v
		parts = append(parts, p)
	}
	if n > 1 && size > 10 {
		return fmt.Errorf("a scan has %d blocks in a unit, expected at most 10", size)
	}
	s := &scanState{data: f.data, at: f.at, end: 63}
	if f.progressive {
		band := body[1+2*n:]
		s.first, s.end = int(band[0]), int(band[1])
		s.low, s.refines = uint(band[2]&15), band[2]>>4 != 0
		if s.end > 63 || s.first > s.end || s.first == 0 && s.end != 0 || s.first > 0 && n > 1 || s.low > 13 || s.refines && uint(band[2]>>4) != s.low+1 {
			return fmt.Errorf("a scan has the coefficients %d to %d and the bits %d, %d, which no progression has", band[0], band[1], band[2]>>4, band[2]&15)
		}
	}
	for _, p := range parts {
		if s.first == 0 && !s.refines && p.dc == nil || s.end > 0 && p.ac == nil {
			return fmt.Errorf("a scan has no Huffman table")
		}
	}
	return f.units(s, parts)
}

// part is a component in a scan.
type part struct {
	*component
	dc, ac *huffman
	before int // constant coefficient of the block before
}

// units reads the blocks of a scan, unit by unit: single blocks where there is one
// component.
func (f *jpegFile) units(s *scanState, parts []*part) error {
	alone := len(parts) == 1
	across, down := over(f.w, 8*f.maxH), over(f.h, 8*f.maxV)
	if alone {
		across, down = parts[0].wide, parts[0].high
	}
	for unit := range across * down {
		if f.interval > 0 && unit > 0 && unit%f.interval == 0 {
			if err := f.restart(s, parts, byte(unit/f.interval-1)&7); err != nil {
				return err
			}
		}
		x, y := unit%across, unit/across
		for _, p := range parts {
			h, v := p.h, p.v
			if alone {
				h, v = 1, 1
			}
			for i := range h * v {
				if err := f.block(s, p, (y*v+i/h)*p.across+x*h+i%h); err != nil {
					return err
				}
			}
		}
		if s.short {
			return fmt.Errorf("the coded picture ends early: %d of %d units", unit, across*down)
		}
	}
	f.at = s.at
	return nil
}

// restart goes past a restart marker.
func (f *jpegFile) restart(s *scanState, parts []*part, number byte) error {
	f.at = s.at
	marker, err := f.marker()
	if err != nil {
		return err
	}
	if marker != 0xd0+number {
		return fmt.Errorf("the marker %#x stands where restart %d is expected", marker, number)
	}
	s.at, s.n, s.run = f.at, 0, 0
	for _, p := range parts {
		p.before = 0
	}
	return nil
}

// block reads one block of a scan.
func (f *jpegFile) block(s *scanState, p *part, at int) error {
	ok := true
	if !f.progressive {
		var b [64]int16
		if ok = s.constant(p, &b) && s.band(p, &b, 1); ok {
			p.put(at, &b)
		}
	} else if b := &p.blocks[at]; s.first > 0 && s.refines {
		ok = s.refine(p, b)
	} else if s.first > 0 {
		ok = s.band(p, b, s.first)
	} else if s.refines {
		b[0] |= int16(s.take(1) << s.low)
	} else {
		ok = s.constant(p, b)
	}
	if !ok {
		return fmt.Errorf("the coded picture is damaged at byte %d", s.at)
	}
	return nil
}

// constant reads the first coefficient, as the difference to the block before.
func (s *scanState) constant(p *part, b *[64]int16) bool {
	l := s.symbol(p.dc)
	if l < 0 || l > 15 {
		return false
	}
	p.before += s.signed(l)
	b[0] = int16(p.before << s.low)
	return true
}

// band reads coefficients from k on.
func (s *scanState) band(p *part, b *[64]int16, k int) bool {
	if s.run > 0 {
		s.run--
		return true
	}
	for ; k <= s.end; k++ {
		v := s.symbol(p.ac)
		if v < 0 {
			return false
		}
		zeros, l := v>>4, v&15
		if l == 0 && zeros < 15 {
			if s.first > 0 { // only progressive files have runs
				s.run = 1<<zeros + s.take(zeros) - 1
			}
			return true
		}
		if k += zeros; l == 0 {
			continue
		}
		if k > s.end {
			return false
		}
		b[zigzag[k]] = int16(s.signed(l) << s.low)
	}
	return true
}

// refine adds a bit to the coefficients of a band (ITU T.81, G.1.2.3).
func (s *scanState) refine(p *part, b *[64]int16) bool {
	bit := int16(1) << s.low
	// more refines coefficients from k on, up to where zeros of them were 0 and
	// another is.
	more := func(k, zeros int) int {
		for ; k <= s.end; k++ {
			c := &b[zigzag[k]]
			switch {
			case *c == 0 && zeros == 0:
				return k
			case *c == 0:
				zeros--
			case s.take(1) == 1 && *c&bit == 0:
				if *c > 0 {
					*c += bit
				} else {
					*c -= bit
				}
			}
		}
		return k
	}
	k := s.first
	for s.run == 0 && k <= s.end {
		v := s.symbol(p.ac)
		if v < 0 || v&15 > 1 {
			return false
		}
		zeros := v >> 4
		if v&15 == 0 && zeros < 15 {
			s.run = 1<<zeros + s.take(zeros)
			break
		}
		value := int16(0)
		if v&15 == 1 {
			if value = -bit; s.take(1) == 1 {
				value = bit
			}
		}
		if k = more(k, zeros); value != 0 {
			if k > s.end {
				return false
			}
			b[zigzag[k]] = value
		}
		k++
	}
	if s.run > 0 {
		more(k, 64)
		s.run--
	}
	return true
}
