package images

import (
	"bytes"
	"encoding/binary"
)

// orientation is the number from 1 to 8 by which a camera says how the picture is
// turned (Exif 2.3, tag 0x0112); 1 where the file says nothing.
func (f format) orientation(data []byte) int {
	if f.exif == nil {
		return 1
	}
	block := bytes.TrimPrefix(f.exif(data), []byte("Exif\x00\x00"))
	if len(block) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.LittleEndian
	if block[0] == 'M' {
		order = binary.BigEndian
	}
	at := int64(order.Uint32(block[4:]))
	if at+2 > int64(len(block)) {
		return 1
	}
	entries := block[at+2:]
	for range order.Uint16(block[at:]) {
		if len(entries) < 12 {
			break
		}
		if order.Uint16(entries) == 0x0112 && order.Uint16(entries[2:]) == 3 {
			if o := int(order.Uint16(entries[8:])); o >= 1 && o <= 8 {
				return o
			}
			break
		}
		entries = entries[12:]
	}
	return 1
}

// turned returns the picture as it is to be seen, as Pillow's
// ImageOps.exif_transpose does.
func (r raster) turned(orientation int) raster {
	if orientation == 1 {
		return r
	}
	out := raster{r.w, r.h, make([]uint8, len(r.pix))}
	if orientation >= 5 { // columns become rows
		out.w, out.h = r.h, r.w
	}
	for y := range out.h {
		for x := range out.w {
			u, v := x, y
			if orientation >= 5 {
				u, v = y, x
			}
			switch orientation {
			case 2, 3, 7, 8:
				u = r.w - 1 - u
			}
			switch orientation {
			case 3, 4, 6, 7:
				v = r.h - 1 - v
			}
			copy(out.pix[3*(y*out.w+x):][:3], r.pix[3*(v*r.w+u):])
		}
	}
	return out
}

// jpegExif is the first Exif segment before the picture.
func jpegExif(data []byte) []byte {
	f := &jpegFile{data: data, at: 2}
	for {
		marker, err := f.marker()
		if err != nil || marker == 0xda || marker == 0xd9 {
			return nil
		}
		if marker == 0x01 || marker >= 0xd0 && marker <= 0xd7 {
			continue
		}
		body, err := f.segment()
		if err != nil {
			return nil
		}
		if marker == 0xe1 && bytes.HasPrefix(body, []byte("Exif\x00\x00")) {
			return body
		}
	}
}

// pngExif is the chunk eXIf.
func pngExif(data []byte) (block []byte) {
	pngChunks(data, func(name string, body []byte) {
		if name == "eXIf" && block == nil {
			block = body
		}
	})
	return block
}

// webpExif is the chunk EXIF.
func webpExif(data []byte) []byte {
	for at := 12; at+8 <= len(data); {
		n := int64(binary.LittleEndian.Uint32(data[at+4:]))
		if int64(at)+8+n > int64(len(data)) {
			return nil
		}
		if string(data[at:at+4]) == "EXIF" {
			return data[at+8 : at+8+int(n)]
		}
		at += 8 + int(n+n%2)
	}
	return nil
}
