//go:build cgo && linux

package backend

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/ensemble-metamers/metamers/metamerkit/filecache"
	"github.com/ensemble-metamers/metamers/metamerkit/paths/pathstest"
)

// withPlugin gives the test an empty cache and XLA's plugin.
func withPlugin(t *testing.T) (b *Backend, files filecache.Cache) {
	t.Helper()
	cpu := pluginHere(t)
	bare(t)
	t.Setenv(CompiledVar, "")
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", filepath.Dir(cpu))
	b, err := Open(XLA)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Compute.Finalize)
	if files, err = Compiled(XLA); err != nil {
		t.Fatal(err)
	}
	return b, files
}

// results makes a program, compiled or loaded, and returns the bytes of its results.
func results(t *testing.T, b *Backend, factor float32) []byte {
	t.Helper()
	g := NewGraph(b.Compute, "kept")
	x := Parameter(g, "x", shapes.Make(dtypes.Float32, 4, 16, 16, 8))
	kernel := Parameter(g, "kernel", shapes.Make(dtypes.Float32, 3, 3, 8, 8))
	y := Convolve(Sin(Mul(x, Const(g, factor))), kernel).PadSame().Done()
	if err := g.Compile(Softmax(y, -1), Gradient(ReduceAllSum(Tanh(y)), x)[0]); err != nil {
		t.Error(err)
		return nil
	}
	defer g.Finalize()
	var all []byte
	for _, out := range g.Run(waves(4, 16, 16, 8), waves(3, 3, 8, 8)) {
		if err := out.ConstBytes(func(data []byte) { all = append(all, data...) }); err != nil {
			t.Error(err)
		}
	}
	return all
}

func waves(dims ...int) *tensors.Tensor {
	v := make([]float32, shapes.Make(dtypes.Float32, dims...).Size())
	for i := range v {
		v[i] = float32(math.Sin(float64(i)))
	}
	return tensors.FromFlatDataAndDimensions(v, dims...)
}

// programs are the files of programs: those that are read and not made again stay the same.
func programs(t *testing.T, files filecache.Cache) (all []os.FileInfo) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(files.Dir, "[0-9a-f]*")) // not those that are being written
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		if info, err := os.Stat(p); err != nil {
			t.Fatal(err)
		} else if info.Size() > 1000 { // the plugin's checksum is kept too
			all = append(all, info)
		}
	}
	return all
}

// A program that was compiled before is loaded and computes the same bits; one that is
// damaged, or that the plugin refuses, is compiled again and replaced.
func TestKept(t *testing.T) {
	b, files := withPlugin(t)
	t.Setenv(CompiledVar, "off")
	want := results(t, b, 1)
	if got := programs(t, files); len(got) != 0 {
		t.Fatalf("%d programs are kept with %s=off", len(got), CompiledVar)
	}
	t.Setenv(CompiledVar, "")
	var before os.FileInfo
	note := func(now os.FileInfo) {
		t.Helper()
		f, err := os.Open(filepath.Join(files.Dir, now.Name())) // no file that comes after it gets its number
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		before = now
	}
	same := func(what string, again bool) {
		t.Helper()
		if got := results(t, b, 1); !bytes.Equal(got, want) {
			t.Errorf("%s: other bits", what)
		}
		now := programs(t, files)
		if len(now) != 1 {
			t.Fatalf("%s: %d programs are kept, expected 1: go-xla no longer compiles through the table of GetPjrtApi", what, len(now))
		}
		if before != nil && os.SameFile(before, now[0]) == again {
			t.Errorf("%s: compiled again: %v, expected %v", what, !again, again)
		}
		note(now[0])
	}
	same("the first time", true)
	same("the second time", false)
	path := filepath.Join(files.Dir, before.Name())
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for what, damaged := range map[string][]byte{"cut": whole[:len(whole)/2], "empty": nil, "changed": append(bytes.Clone(whole[:len(whole)-1]), whole[len(whole)-1]^1)} {
		if err := os.WriteFile(path, damaged, 0o666); err != nil {
			t.Fatal(err)
		}
		same(what, true)
		same(what+", then replaced", false)
	}
	name, err := hex.DecodeString(before.Name())
	if err != nil {
		t.Fatal(err)
	}
	if err := files.Keep(filecache.Key(name), make([]byte, 5000)); err != nil {
		t.Fatal(err)
	}
	note(programs(t, files)[0])
	same("refused", true)
	same("refused, then replaced", false)
	if bytes.Equal(results(t, b, 2), want) || len(programs(t, files)) != 2 {
		t.Errorf("another factor: %d programs are kept, expected 2", len(programs(t, files)))
	}
}

// Compilations at once, on several backends and with programs that come and go, compute the
// same bits.
func TestKeptAtOnce(t *testing.T) {
	b, files := withPlugin(t)
	other, err := Open(XLA)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Compute.Finalize)
	want := results(t, b, 1)
	kept := programs(t, files)
	if len(kept) != 1 {
		t.Fatalf("%d programs are kept, expected 1", len(kept))
	}
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for j := range 3 {
				if got := results(t, []*Backend{b, other}[i%2], 1); !bytes.Equal(got, want) {
					t.Errorf("other bits in %d, %d", i, j)
				}
				if i == 0 {
					_ = os.Remove(filepath.Join(files.Dir, kept[0].Name()))
				}
			}
		})
	}
	all.Wait()
}

func settle(t *testing.T, d time.Duration) {
	old := settled
	settled = d
	t.Cleanup(func() { settled = old })
}

// What programs depend on besides themselves: the plugin's bytes, whatever its times say, and
// what XLA reads of the environment.
func TestSurroundings(t *testing.T) {
	bare(t)
	settle(t, time.Hour)
	t.Setenv("XLA_FLAGS", "")
	plugin := filepath.Join(t.TempDir(), "plugin.so")
	at := time.Unix(1e9, 0)
	content := func(text string) {
		t.Helper()
		write(t, plugin, []byte(text))
		if err := os.Chtimes(plugin, at, at); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]string{}
	expect := func(what, likeWhat string) {
		t.Helper()
		got, err := surroundings(XLA, plugin)()
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := seen[string(got)]; !ok {
			seen[string(got)] = what
		}
		if first := seen[string(got)]; first != likeWhat {
			t.Errorf("%s is like %q, expected %q", what, first, likeWhat)
		}
	}
	content("one")
	expect("at first", "at first")
	t.Setenv("TERM", "another")
	expect("another terminal", "at first")
	t.Setenv("XLA_FLAGS", "--xla_cpu_use_onednn=true")
	expect("a flag", "a flag")
	t.Setenv("XLA_FLAGS", "")
	content("two")
	expect("another plugin", "another plugin")
	content("one")
	expect("the first plugin again", "at first")
	t.Setenv("NPROC", "3")
	expect("a number of threads", "a number of threads")

	describe := surroundings(XLA, plugin)
	content("three")
	if _, err := describe(); err == nil || !strings.Contains(err.Error(), "replaced") {
		t.Errorf("a plugin that was replaced after it was loaded: %v", err)
	}
	if files, err := Compiled(XLA); err != nil {
		t.Fatal(err)
	} else if n, _ := files.Size(); n != 0 {
		t.Errorf("%d checksums are kept of a file that has just changed", n)
	}
	if _, err := surroundings(XLA, plugin+".none")(); err == nil {
		t.Error("no error without a plugin")
	}
}

// The checksum of the plugin is computed once, and again when the file has changed.
func TestPluginSum(t *testing.T) {
	plugin := pluginHere(t)
	bare(t)
	now, err := identity(plugin)
	if err != nil {
		t.Fatal(err)
	}
	settle(t, -time.Hour)
	files, err := Compiled(XLA)
	if err != nil {
		t.Fatal(err)
	}
	want, err := pluginSum(XLA, plugin, now)
	if err != nil {
		t.Fatal(err)
	}
	all, err := filepath.Glob(filepath.Join(files.Dir, "*"))
	if err != nil || len(all) != 1 {
		t.Fatalf("%d files, expected 1: %v", len(all), err)
	}
	name, err := hex.DecodeString(filepath.Base(all[0]))
	if err != nil {
		t.Fatal(err)
	}
	if got := files.Load(filecache.Key(name)); string(got) != want || len(want) != 64 {
		t.Errorf("%q is kept, expected %q", got, want)
	}
	if err := files.Keep(filecache.Key(name), []byte("what is kept")); err != nil {
		t.Fatal(err)
	}
	if got, err := pluginSum(XLA, plugin, now); err != nil || got != "what is kept" {
		t.Errorf("%q, %v: what is kept is not used", got, err)
	}
}

// The part of PJRT's interface in pjrt.h is that of go-xla's copy of pjrt_c_api.h.
func TestTable(t *testing.T) {
	cc, err := exec.Command("go", "env", "CC").Output()
	if err != nil {
		pathstest.Missing(t, "no go command: %v", err)
	}
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "github.com/gomlx/go-xla/pjrt").Output()
	if err != nil {
		pathstest.Missing(t, "the source of go-xla is not here: %v", err)
	}
	here, err := filepath.Abs("pjrt.h")
	if err != nil {
		t.Fatal(err)
	}
	var c strings.Builder
	fmt.Fprintf(&c, "#include %q\n#include %q\n", here, filepath.Join(strings.TrimSpace(string(dir)), "pjrt_c_api.h"))
	c.WriteString("#define SAME(a, b) _Static_assert((a) == (b), #a)\nSAME(PJRT_API_MAJOR, 0);\n")
	for _, s := range []struct{ ours, theirs, fields string }{
		{"pjrt_program", "PJRT_Program", "extension=extension_start code code_size format format_size"},
		{"pjrt_compile", "PJRT_Client_Compile_Args", "extension=extension_start client program options=compile_options options_size=compile_options_size executable"},
		{"pjrt_load", "PJRT_Executable_DeserializeAndLoad_Args", "extension=extension_start client bytes=serialized_executable bytes_size=serialized_executable_size executable=loaded_executable options=overridden_serialized_compile_options options_size=overridden_serialized_compile_options_size"},
		{"pjrt_get", "PJRT_LoadedExecutable_GetExecutable_Args", "extension=extension_start from=loaded_executable got=executable"},
		{"pjrt_get", "PJRT_Client_TopologyDescription_Args", "extension=extension_start from=client got=topology"},
		{"pjrt_serialize", "PJRT_Executable_Serialize_Args", "extension=extension_start what=executable bytes=serialized_bytes bytes_size=serialized_bytes_size owner=serialized_executable release=serialized_executable_deleter"},
		{"pjrt_serialize", "PJRT_TopologyDescription_Serialize_Args", "extension=extension_start what=topology bytes=serialized_bytes bytes_size=serialized_bytes_size owner=serialized_topology release=serialized_topology_deleter"},
		{"pjrt_destroy", "PJRT_Executable_Destroy_Args", "extension=extension_start what=executable"},
		{"pjrt_destroy", "PJRT_Error_Destroy_Args", "extension=extension_start what=error"},
		{"pjrt_message", "PJRT_Error_Message_Args", "extension=extension_start error text=message text_size=message_size"},
		{"pjrt_table", "PJRT_Api", "extension=extension_start version=pjrt_api_version version.major=pjrt_api_version.major_version function=PJRT_Error_Destroy"},
	} {
		if s.ours != "pjrt_table" {
			fmt.Fprintf(&c, "SAME(sizeof(struct %s), sizeof(%s));\n", s.ours, s.theirs)
		}
		for f := range strings.FieldsSeq(s.fields) {
			ours, theirs, renamed := strings.Cut(f, "=")
			if !renamed {
				theirs = ours
			}
			fmt.Fprintf(&c, "SAME(offsetof(struct %s, %s), offsetof(%s, %s));\n", s.ours, ours, s.theirs, theirs)
		}
	}
	for ours, theirs := range map[string]string{
		"pjrt_error_destroy": "PJRT_Error_Destroy", "pjrt_error_message": "PJRT_Error_Message",
		"pjrt_client_compile": "PJRT_Client_Compile", "pjrt_executable_destroy": "PJRT_Executable_Destroy",
		"pjrt_executable_serialize": "PJRT_Executable_Serialize", "pjrt_loaded_executable_get_executable": "PJRT_LoadedExecutable_GetExecutable",
		"pjrt_executable_deserialize_and_load": "PJRT_Executable_DeserializeAndLoad",
		"pjrt_topology_description_serialize":  "PJRT_TopologyDescription_Serialize", "pjrt_client_topology_description": "PJRT_Client_TopologyDescription",
	} {
		fmt.Fprintf(&c, "SAME(offsetof(struct pjrt_table, function) + %s * sizeof(void *), offsetof(PJRT_Api, %s));\n", ours, theirs)
	}
	compiler := exec.Command("sh", "-c", strings.TrimSpace(string(cc))+" -fsyntax-only -x c -")
	compiler.Stdin = strings.NewReader(c.String())
	if out, err := compiler.CombinedOutput(); err != nil {
		t.Errorf("go-xla's pjrt_c_api.h has changed: %v\n%s", err, out)
	}
}
