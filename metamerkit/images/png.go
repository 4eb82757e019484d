package images

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image/png"
	"io"
	"strings"
)

// decodePNG reads a PNG file. Pixels behind the last row, which image/png refuses and
// libpng ignores, are left out.
func decodePNG(data []byte) (raster, error) {
	m, err := png.Decode(bytes.NewReader(data))
	if err != nil && strings.Contains(err.Error(), "too much pixel data") {
		if data, err = cutPNG(data); err == nil {
			m, err = png.Decode(bytes.NewReader(data))
		}
	}
	if err != nil {
		return raster{}, err
	}
	return rgb(m), nil
}

// pngChunks calls each with the chunks of a file up to where it is damaged.
func pngChunks(data []byte, each func(name string, body []byte)) {
	for at := 8; at+12 <= len(data); {
		n := int64(binary.BigEndian.Uint32(data[at:]))
		if int64(at)+12+n > int64(len(data)) {
			return
		}
		each(string(data[at+4:at+8]), data[at+8:at+8+int(n)])
		at += 12 + int(n)
	}
}

// cutPNG writes a file anew with the pixel data that its header asks for.
func cutPNG(data []byte) ([]byte, error) {
	out := bytes.NewBuffer(bytes.Clone(data[:8]))
	var head, packed []byte
	pngChunks(data, func(name string, body []byte) {
		switch name {
		case "IHDR":
			head = body
			writeChunk(out, name, body)
		case "PLTE", "tRNS":
			writeChunk(out, name, body)
		case "IDAT":
			packed = append(packed, body...)
		}
	})
	if len(head) != 13 {
		return nil, fmt.Errorf("it has no header")
	}
	z, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	w := zlib.NewWriter(&body)
	if _, err := io.CopyN(w, z, pngBytes(head)); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	writeChunk(out, "IDAT", body.Bytes())
	writeChunk(out, "IEND", nil)
	return out.Bytes(), nil
}

// pngBytes is the number of bytes of all rows (ISO/IEC 15948, 7.2 and 8.2).
func pngBytes(head []byte) int64 {
	w, h := int64(binary.BigEndian.Uint32(head)), int64(binary.BigEndian.Uint32(head[4:]))
	samples := map[byte]int64{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[head[9]]
	rows := func(w, h int64) int64 {
		if w <= 0 || h <= 0 {
			return 0
		}
		return h * (1 + (w*samples*int64(head[8])+7)/8)
	}
	if head[12] == 0 {
		return rows(w, h)
	}
	total := int64(0)
	for _, p := range [7][4]int64{{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}} { // Adam7: first x and y, steps
		total += rows((w-p[0]+p[2]-1)/p[2], (h-p[1]+p[3]-1)/p[3])
	}
	return total
}

func writeChunk(out *bytes.Buffer, name string, body []byte) {
	binary.Write(out, binary.BigEndian, uint32(len(body)))
	at := out.Len()
	out.WriteString(name)
	out.Write(body)
	binary.Write(out, binary.BigEndian, crc32.ChecksumIEEE(out.Bytes()[at:]))
}
