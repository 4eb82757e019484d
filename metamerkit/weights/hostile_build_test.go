package weights

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
)

// Pickle opcodes for what torch.save writes.
const magic = "\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}." // magic number, version, no facts

func num(n int) string { return "\x8a\x08" + string(binary.LittleEndian.AppendUint64(nil, uint64(n))) }
func str(s string) string {
	return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
}
func tuple(n ...int) string {
	s := "("
	for _, v := range n {
		s += num(v)
	}
	return s + "t"
}
func storagePickle(class string, size int) string {
	return "(" + str("storage") + "ctorch\n" + class + "\n" + str("0") + str("cpu") + num(size) + "tQ"
}
func tensorPickle(storage string, offset int, shape, strides string) string {
	return "ctorch._utils\n_rebuild_tensor_v2\n(" + storage + num(offset) + shape + strides + "\x89ccollections\nOrderedDict\n)RtR"
}
func statePickle(tensors ...string) string {
	s := "\x80\x02}"
	for i, t := range tensors {
		s += str(string(rune('a'+i))) + t + "s"
	}
	return s + "."
}

type zipMember struct {
	name, body string
	method     uint16
}

func zipped(members ...zipMember) string {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, m := range members {
		w, err := z.CreateHeader(&zip.FileHeader{Name: m.name, Method: m.method})
		if err == nil {
			_, err = w.Write([]byte(m.body))
		}
		if err != nil {
			panic(err)
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.String()
}

// asZip and asLegacy put an object of a state dict with one storage of 16 bytes into files.
func asZip(object string) string {
	return zipped(zipMember{name: "x/data.pkl", body: object}, zipMember{name: "x/data/0", body: strings.Repeat("\x00\x00\x80?", 4)})
}
func asLegacy(object string) string {
	if !strings.Contains(object, "FloatStorage") {
		return magic + object + "\x80\x02]."
	}
	return magic + object + "\x80\x02]" + str("0") + "a.\x04\x00\x00\x00\x00\x00\x00\x00" + strings.Repeat("\x00\x00\x80?", 4)
}
func safetensors(header, body string) string {
	return string(binary.LittleEndian.AppendUint64(nil, uint64(len(header)))) + header + body
}

func formatError(t testing.TB, name string, err error) *FormatError {
	t.Helper()
	var e *FormatError
	if !errors.As(err, &e) {
		t.Errorf("%s: %v, expected a *FormatError", name, err)
		return nil
	}
	if e.Path == "" || e.Problem == "" || len(e.Problem) > 2100 {
		t.Errorf("%s: an incomplete or endless error %+v", name, e)
	}
	return e
}

// allocated is the number of bytes that f allocates in all. The first count is fast, but a
// garbage collection inside f adds what small objects took before it. A large count is
// therefore taken again, exactly, in a second call of f.
func allocated(f func()) uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	before := sample[0].Value.Uint64()
	f()
	metrics.Read(sample)
	if n := sample[0].Value.Uint64() - before; n < 1<<19 {
		return n
	}
	var m0, m1 runtime.MemStats
	runtime.ReadMemStats(&m0)
	f()
	runtime.ReadMemStats(&m1)
	return m1.TotalAlloc - m0.TotalAlloc
}
