//go:build cgo && linux

package backend

/*
#cgo LDFLAGS: -ldl
#include <stdlib.h>
#include "pjrt.h"
*/
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/gomlx/compute/dtypes"

	"github.com/ensemble-metamers/metamers/metamerkit/backend/onednn"
)

// A programCache compiles in place of a plugin. It loads programs that an earlier process
// compiled, and stores those that the plugin compiles. go-xla has no function for that, so the
// cache replaces the compiler in the table through which go-xla calls the plugin.
type programCache struct {
	table   *C.struct_pjrt_table
	compile unsafe.Pointer // the plugin's own
	kind    Kind
	fixed   func() ([]byte, error) // what programs depend on and does not change in a process
	refused sync.Once
	failed  sync.Once
}

var programCaches struct {
	sync.Mutex
	of []*programCache
}

const without = "computing without oneDNN, which takes up to twice as long: "

// cacheCompiled puts a programCache in place of the compiler of a plugin, once a process. If it
// cannot, each process compiles its programs itself. library is a file with oneDNN for the
// plugin, or ""; the notice says why it is not used.
func cacheCompiled(k Kind, path, library string) (notice string, err error) {
	if k == XLA && library == "" && os.Getenv(OneDNNVar) == "" && runtime.GOARCH == "amd64" {
		notice = without + "make setup or pip install onednn-cpu-gomp==" + OneDNNVersion + " brings it"
	}
	if files, err := Compiled(k); err != nil || files.Dir == "" && library == "" {
		return notice, err
	}
	programCaches.Lock()
	defer programCaches.Unlock()
	slot := len(programCaches.of)
	if slot == C.pjrt_slots {
		return notice, nil
	}
	fixed := surroundings(k, path) // the file is looked at before it is loaded
	cPath := C.CString(path)
	defer C.free(unsafe.Pointer(cPath))
	table := C.pjrt_open(cPath)
	if table == nil {
		return notice, nil // go-xla says what is wrong with it
	}
	n := &programCache{table: table, kind: k, fixed: sync.OnceValues(fixed)}
	programCaches.of = append(programCaches.of, n) // before it can be called
	if n.compile = C.pjrt_replace(table, C.int(slot)); n.compile == nil {
		programCaches.of = programCaches.of[:slot]
	}
	replaced := slices.ContainsFunc(programCaches.of, func(n *programCache) bool { return n.table == table })
	if library != "" && replaced {
		if err := loadable(library); err != nil {
			notice = without + library + " is not a complete library (" + oneLine(err) + "); if make setup brought it, remove it and run make setup"
		} else if err := onednn.Open(unsafe.Pointer(table), library); err != nil {
			notice = without + library + " does not load (" + oneLine(err) + ")"
		}
	}
	return notice, nil
}

//export metamersCompile
func metamersCompile(slot C.int, args *C.struct_pjrt_compile) unsafe.Pointer {
	programCaches.Lock()
	k := programCaches.of[slot]
	programCaches.Unlock()
	return k.compiled(args)
}

// compiled is PJRT_Client_Compile.
func (k *programCache) compiled(args *C.struct_pjrt_compile) unsafe.Pointer {
	if k.kind == XLA && onednn.Ready() {
		defer rewrite(args)()
	}
	files, err := Compiled(k.kind)
	if err != nil || files.Dir == "" {
		return C.pjrt_call(k.compile, unsafe.Pointer(args))
	}
	key, err := k.key(args)
	if err != nil {
		k.failed.Do(func() { say("compiled programs are not cached", err) })
		return C.pjrt_call(k.compile, unsafe.Pointer(args))
	}
	if kept := files.Load(key); kept != nil {
		if args.executable, err = k.load(args.client, kept); err == nil {
			return nil
		}
		k.refused.Do(func() { say("the plugin does not load cached programs, which are compiled again", err) })
		files.Remove(key)
	}
	if failure := C.pjrt_call(k.compile, unsafe.Pointer(args)); failure != nil {
		return failure
	}
	made, err := k.serialize(args.executable)
	if err != nil {
		k.failed.Do(func() { say("compiled programs are not cached", err) })
		return nil
	}
	_ = files.Keep(key, made) // without it the next process compiles again
	return nil
}

// rewritten counts the operations that oneDNN computes in the programs of this process.
var rewritten atomic.Int64

// rewrite gives operations of the program that is to be compiled to oneDNN, until undo.
func rewrite(args *C.struct_pjrt_compile) (undo func()) {
	given := args.program
	text, n := onednn.Rewrite(C.GoStringN(given.code, C.int(given.code_size)), onednn.Computes(dtypes.BFloat16))
	rewritten.Add(int64(n))
	if n == 0 {
		return func() {}
	}
	program := (*C.struct_pjrt_program)(C.malloc(C.sizeof_struct_pjrt_program))
	*program = *given
	program.code, program.code_size = C.CString(text), C.size_t(len(text))
	args.program = program
	return func() {
		args.program = given
		C.free(unsafe.Pointer(program.code))
		C.free(unsafe.Pointer(program))
	}
}

func say(what string, err error) { fmt.Fprintf(os.Stderr, "metamers: %s: %s\n", what, oneLine(err)) }
