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
	"sync"
	"unsafe"
)

// keeper compiles in the place of a plugin: it loads programs that a process compiled before,
// and keeps those that the plugin compiles. go-xla has no function for that, so the keeper
// replaces the compiler in the table through which go-xla calls the plugin.
type keeper struct {
	table   *C.struct_pjrt_table
	compile unsafe.Pointer // the plugin's own
	kind    Kind
	fixed   func() ([]byte, error) // what programs depend on and does not change in a process
	refused sync.Once
	failed  sync.Once
}

var keepers struct {
	sync.Mutex
	of []*keeper
}

// keepCompiled places a keeper before the compiler of a plugin, once a process. Where it
// cannot, each process compiles anew.
func keepCompiled(k Kind, path string) error {
	if files, err := Compiled(k); err != nil || files.Dir == "" {
		return err
	}
	keepers.Lock()
	defer keepers.Unlock()
	slot := len(keepers.of)
	if slot == C.pjrt_slots {
		return nil
	}
	fixed := surroundings(k, path) // the file is looked at before it is loaded
	cPath := C.CString(path)
	defer C.free(unsafe.Pointer(cPath))
	table := C.pjrt_open(cPath)
	if table == nil {
		return nil // go-xla says what is wrong with it
	}
	n := &keeper{table: table, kind: k, fixed: sync.OnceValues(fixed)}
	keepers.of = append(keepers.of, n) // before it can be called
	if n.compile = C.pjrt_replace(table, C.int(slot)); n.compile == nil {
		keepers.of = keepers.of[:slot]
		return nil
	}
	return nil
}

//export metamersCompile
func metamersCompile(slot C.int, args *C.struct_pjrt_compile) unsafe.Pointer {
	keepers.Lock()
	k := keepers.of[slot]
	keepers.Unlock()
	return k.compiled(args)
}

// compiled is PJRT_Client_Compile.
func (k *keeper) compiled(args *C.struct_pjrt_compile) unsafe.Pointer {
	files, err := Compiled(k.kind)
	if err != nil || files.Dir == "" {
		return C.pjrt_call(k.compile, unsafe.Pointer(args))
	}
	key, err := k.key(args)
	if err != nil {
		k.failed.Do(func() { say("compiled programs are not kept", err) })
		return C.pjrt_call(k.compile, unsafe.Pointer(args))
	}
	if kept := files.Load(key); kept != nil {
		if args.executable, err = k.load(args.client, kept); err == nil {
			return nil
		}
		k.refused.Do(func() { say("what the plugin does not load is compiled again", err) })
		files.Remove(key)
	}
	if failure := C.pjrt_call(k.compile, unsafe.Pointer(args)); failure != nil {
		return failure
	}
	made, err := k.serialize(args.executable)
	if err != nil {
		k.failed.Do(func() { say("compiled programs are not kept", err) })
		return nil
	}
	_ = files.Keep(key, made) // without it the next process compiles again
	return nil
}

func say(what string, err error) { fmt.Fprintf(os.Stderr, "metamers: %s: %s\n", what, oneLine(err)) }
