package images

import (
	"encoding/binary"
	"fmt"
)

// image/jpeg reads only the usual sampling factors and no CMYK without Adobe's marker,
// and it rounds the inverse transform in its own way. So JPEG files are decoded here:
// baseline and progressive, of one, three or four components with any sampling
// factors, as libjpeg decodes them (ITU T.81). Damaged files are errors, where libjpeg
// fills with grey.

// maxScans bounds the time that a small file can take; encoders write about ten.
const maxScans = 500

// jpegFile is a JPEG file while it is decoded.
type jpegFile struct {
	data        []byte
	at          int // of the next byte to read
	w, h        int
	progressive bool
	maxH, maxV  int // largest sampling factors
	components  []component
	quant       [4]*[64]int32 // in natural order
	tables      [2][4]*huffman
	interval    int // MCUs between restart markers; 0: none
	jfif        bool
	adobe       int // transform of Adobe's marker; -1: none
	scans       int
}

// component is a plane of the picture.
type component struct {
	id, table    byte
	h, v         int         // sampling factors
	across, down int         // blocks, filled up to whole MCUs
	wide, high   int         // blocks that the picture reaches
	quant        *[64]int32  // of the component's first scan
	pix          []uint8     // [8·down, 8·across]
	blocks       [][64]int16 // coefficients of progressive files
}

// decodeJPEG decodes a file; it must begin with the SOI marker.
func decodeJPEG(data []byte) (raster, error) {
	f := &jpegFile{data: data, at: 2, adobe: -1}
	for {
		marker, err := f.marker()
		if err != nil {
			return raster{}, err
		}
		if marker == 0xd9 { // end of the picture; what follows is no part of it
			return f.finish()
		}
		if marker == 0x01 || marker >= 0xd0 && marker <= 0xd7 { // without a body
			continue
		}
		body, err := f.segment()
		if err != nil {
			return raster{}, err
		}
		if err := f.read(marker, body); err != nil {
			return raster{}, err
		}
	}
}

// jpegSize reads a file up to its frame header.
func jpegSize(data []byte) (w, h int, err error) {
	f := &jpegFile{data: data, at: 2}
	for {
		marker, err := f.marker()
		if err != nil {
			return 0, 0, err
		}
		if marker == 0x01 || marker >= 0xd0 && marker <= 0xd7 {
			continue
		}
		body, err := f.segment()
		if err != nil {
			return 0, 0, err
		}
		if !isFrame(marker) {
			continue
		}
		if err := f.header(marker, body); err != nil {
			return 0, 0, err
		}
		return f.w, f.h, nil
	}
}

// isFrame reports whether a marker begins a frame header.
func isFrame(marker byte) bool {
	return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc
}

// marker goes to the next marker, past whatever lies before it, and past it.
func (f *jpegFile) marker() (byte, error) {
	for ; f.at+1 < len(f.data); f.at++ {
		if m := f.data[f.at+1]; f.data[f.at] == 0xff && m != 0 && m != 0xff {
			f.at += 2
			return m, nil
		}
	}
	return 0, fmt.Errorf("the file ends before the picture does")
}

// segment returns the body of a marker and goes past it.
func (f *jpegFile) segment() ([]byte, error) {
	if f.at+2 > len(f.data) {
		return nil, fmt.Errorf("the file ends before the picture does")
	}
	n := int(binary.BigEndian.Uint16(f.data[f.at:]))
	if n < 2 || f.at+n > len(f.data) {
		return nil, fmt.Errorf("the segment at byte %d has %d bytes, expected 2 to %d", f.at, n, len(f.data)-f.at)
	}
	body := f.data[f.at+2 : f.at+n]
	f.at += n
	return body, nil
}

func (f *jpegFile) read(marker byte, body []byte) error {
	switch {
	case isFrame(marker):
		if f.components != nil {
			return fmt.Errorf("the file has a second frame header")
		}
		return f.frame(marker, body)
	case marker == 0xc4:
		return f.huffmanTables(body)
	case marker == 0xdb:
		return f.quantisation(body)
	case marker == 0xdd:
		if len(body) != 2 {
			return fmt.Errorf("the restart interval has %d bytes, expected 2", len(body))
		}
		f.interval = int(binary.BigEndian.Uint16(body))
	case marker == 0xda:
		if f.scans++; f.scans > maxScans {
			return fmt.Errorf("it has more than %d scans", maxScans)
		}
		return f.scan(body)
	case marker == 0xe0:
		f.jfif = f.jfif || len(body) >= 14 && string(body[:5]) == "JFIF\x00"
	case marker == 0xee:
		if len(body) >= 12 && string(body[:5]) == "Adobe" {
			f.adobe = int(body[11])
		}
	}
	return nil
}

// header reads size and components.
func (f *jpegFile) header(marker byte, body []byte) error {
	switch {
	case marker > 0xc8:
		return fmt.Errorf("it is compressed by arithmetic coding, which is not read; expected Huffman coding")
	case marker > 0xc2:
		return fmt.Errorf("it is a lossless or hierarchical JPEG, which is not read; expected a baseline or progressive one")
	case len(body) < 6 || len(body) < 6+3*int(body[5]):
		return fmt.Errorf("the frame header has %d bytes, which is too few", len(body))
	case body[0] != 8:
		return fmt.Errorf("it has %d bits a sample, expected 8", body[0])
	}
	f.progressive = marker == 0xc2
	f.h, f.w = int(binary.BigEndian.Uint16(body[1:])), int(binary.BigEndian.Uint16(body[3:]))
	n := int(body[5])
	if n != 1 && n != 3 && n != 4 {
		return fmt.Errorf("it has %d components, expected 1 (grey), 3 (colour) or 4 (CMYK)", n)
	}
	for i := range n {
		c := component{id: body[6+3*i], h: int(body[7+3*i] >> 4), v: int(body[7+3*i] & 15), table: body[8+3*i]}
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.table > 3 {
			return fmt.Errorf("component %d has the sampling factors %d×%d and the quantisation table %d, expected 1 to 4 and 0 to 3", i+1, c.h, c.v, c.table)
		}
		f.maxH, f.maxV = max(f.maxH, c.h), max(f.maxV, c.v)
		f.components = append(f.components, c)
	}
	return nil
}

// frame reads the header and makes room for the picture.
func (f *jpegFile) frame(marker byte, body []byte) error {
	if err := f.header(marker, body); err != nil {
		return err
	}
	total := 0
	for i := range f.components {
		c := &f.components[i]
		if f.maxH%c.h != 0 || f.maxV%c.v != 0 {
			return fmt.Errorf("component %d has the sampling factors %d×%d, which do not divide the largest, %d×%d; libjpeg does not read that either", i+1, c.h, c.v, f.maxH, f.maxV)
		}
		c.across, c.down = over(f.w, 8*f.maxH)*c.h, over(f.h, 8*f.maxV)*c.v
		c.wide, c.high = over(f.w*c.h, 8*f.maxH), over(f.h*c.v, 8*f.maxV)
		total += c.wide * c.high
	}
	if total == 0 || total/8 > len(f.data) { // a block takes a bit at least
		return fmt.Errorf("%d bytes are too few for %d×%d pixels", len(f.data), f.w, f.h)
	}
	for i := range f.components {
		c := &f.components[i]
		c.pix = make([]uint8, 64*c.across*c.down)
		if f.progressive {
			c.blocks = make([][64]int16, c.across*c.down)
		}
	}
	return nil
}

// over divides and rounds up.
func over(a, b int) int { return (a + b - 1) / b }

func (f *jpegFile) quantisation(body []byte) error {
	for len(body) > 0 {
		wide, id := int(body[0]>>4), body[0]&15
		size := 64 * (1 + wide)
		if wide > 1 || id > 3 || len(body) < 1+size {
			return fmt.Errorf("a quantisation table is damaged")
		}
		t := new([64]int32)
		for i := range t {
			if wide == 0 {
				t[zigzag[i]] = int32(body[1+i])
			} else {
				t[zigzag[i]] = int32(binary.BigEndian.Uint16(body[1+2*i:]))
			}
		}
		f.quant[id], body = t, body[1+size:]
	}
	return nil
}

// zigzag is the order of coefficients in the file (ITU T.81, figure A.6).
var zigzag = func() (order [64]int) {
	x, y := 0, 0
	for i := range order {
		order[i] = 8*y + x
		switch up := (x+y)%2 == 0; {
		case up && x == 7, !up && y != 7 && x == 0:
			y++
		case up && y == 0, !up && y == 7:
			x++
		case up:
			x, y = x+1, y-1
		default:
			x, y = x-1, y+1
		}
	}
	return order
}()

// finish transforms the coefficients of a progressive file and makes colours.
func (f *jpegFile) finish() (raster, error) {
	if f.components == nil {
		return raster{}, fmt.Errorf("it has no frame header")
	}
	for i := range f.components {
		c := &f.components[i]
		if c.quant == nil {
			return raster{}, fmt.Errorf("component %d has no scan", i+1)
		}
		for b := range c.blocks {
			c.put(b, &c.blocks[b])
		}
		c.blocks = nil
	}
	return f.colours(), nil
}

// put transforms a block and writes it to its place.
func (c *component) put(block int, coefficients *[64]int16) {
	var in [64]int32
	for i, v := range coefficients {
		in[i] = int32(v) * c.quant[i]
	}
	out := islow(&in)
	stride := 8 * c.across
	at := block/c.across*8*stride + block%c.across*8
	for y := range 8 {
		copy(c.pix[at+y*stride:][:8], out[8*y:8*y+8])
	}
}
