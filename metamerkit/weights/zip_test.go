package weights

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

func TestHostileArchives(t *testing.T) {
	state := statePickle(tensorPickle(storagePickle("FloatStorage", 4), 0, tuple(4), tuple(1)))
	pickle, ones := zipMember{name: "x/data.pkl", body: state}, zipMember{name: "x/data/0", body: strings.Repeat("\x00\x00\x80?", 4)}
	good := zipped(pickle, ones)
	at := strings.LastIndex(good, "PK\x01\x02") // the directory's entry of the storage
	declared := []byte(good)
	binary.LittleEndian.PutUint32(declared[at+20:], 0xfffffff0)
	binary.LittleEndian.PutUint32(declared[at+24:], 0xfffffff0)
	damaged := []byte(good)
	damaged[strings.Index(good, "\x80?")] ^= 1
	for name, c := range map[string]struct{ data, text string }{
		"no pickle":       {zipped(ones), "no data.pkl"},
		"two pickles":     {zipped(pickle, zipMember{name: "y/data.pkl", body: state}, ones), "a data.pkl in"},
		"repeated name":   {zipped(pickle, ones, ones), "twice"},
		"compressed":      {zipped(pickle, zipMember{name: "x/data/0", body: strings.Repeat("\x00", 1<<24), method: zip.Deflate}), "compressed"},
		"pickle bomb":     {zipped(zipMember{name: "x/data.pkl", body: strings.Repeat("N", 1<<24), method: zip.Deflate}), "compressed"},
		"no storage":      {zipped(pickle), "no member"},
		"short storage":   {zipped(pickle, zipMember{name: "x/data/0", body: "123"}), "the archive holds 0"},
		"huge storage":    {string(declared), "declares 4294967280 bytes"},
		"damaged storage": {string(damaged), "checksum"},
		"big-endian":      {zipped(pickle, ones, zipMember{name: "x/byteorder", body: "big"}), "byte order"},
		"no directory":    {good[:len(good)-22], "not a valid zip file"},
	} {
		var err error
		used := allocated(func() { _, err = Parse(name, []byte(c.data)) })
		if e := formatError(t, name, err); e != nil && !strings.Contains(e.Problem, c.text) {
			t.Errorf("%s: %v, expected %q in it", name, err, c.text)
		}
		if used > uint64(1<<20+2*len(c.data)) {
			t.Errorf("%s: %d bytes are allocated for a file of %d", name, used, len(c.data))
		}
	}
}

// Members of an archive may overlap: here 50 names stand for the same megabyte.
func TestOverlappingMembers(t *testing.T) {
	const names = 50
	block := strings.Repeat("\x00", 1<<20)
	var tensors []string
	members := []zipMember{{}}
	for i := range names {
		key := string(rune('A' + i))
		tensors = append(tensors, tensorPickle(strings.Replace(storagePickle("FloatStorage", 1<<18), str("0"), str(key), 1), 0, tuple(1), tuple(1)))
		members = append(members, zipMember{name: "x/data/" + key, body: block[:4]})
	}
	members[0] = zipMember{name: "x/data.pkl", body: statePickle(tensors...)}
	data := []byte(zipped(append([]zipMember{{name: "x/block", body: block}}, members...)...))
	// Let every storage's entry in the directory point at x/block, the first member.
	entry := bytes.Index(data, []byte("PK\x01\x02"))
	first := append([]byte(nil), data[entry:entry+46]...)
	for at := entry; at+46 <= len(data) && string(data[at:at+4]) == "PK\x01\x02"; {
		n := int(binary.LittleEndian.Uint16(data[at+28:]))
		if strings.HasPrefix(string(data[at+46:at+46+n]), "x/data/") {
			copy(data[at+16:at+28], first[16:28]) // CRC and sizes
			copy(data[at+42:at+46], first[42:46]) // place
		}
		at += 46 + n + int(binary.LittleEndian.Uint16(data[at+30:]))
	}
	var err error
	used := allocated(func() { _, err = Parse("overlap", data) })
	if e := formatError(t, "overlap", err); e != nil && !strings.Contains(e.Problem, "left in the archive") {
		t.Error(err)
	}
	if used > 4<<20 {
		t.Errorf("%d bytes are allocated for a file of %d", used, len(data))
	}
}
