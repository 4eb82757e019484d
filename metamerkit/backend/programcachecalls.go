//go:build cgo && linux

package backend

// #include "pjrt.h"
import "C"

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/ensemble-metamers/metamers/metamerkit/filecache"
)

// call calls a function of the plugin and returns its error.
func (k *programCache) call(place C.int, args unsafe.Pointer) error {
	failure := C.pjrt_call(C.pjrt_function(k.table, place), args)
	if failure == nil {
		return nil
	}
	m := C.struct_pjrt_message{size: C.sizeof_struct_pjrt_message, error: failure}
	C.pjrt_call(C.pjrt_function(k.table, C.pjrt_error_message), unsafe.Pointer(&m))
	err := errors.New(C.GoStringN(m.text, C.int(m.text_size)))
	d := C.struct_pjrt_destroy{size: C.sizeof_struct_pjrt_destroy, what: failure}
	C.pjrt_call(C.pjrt_function(k.table, C.pjrt_error_destroy), unsafe.Pointer(&d))
	return err
}

// load makes an executable of what serialize returned.
func (k *programCache) load(client unsafe.Pointer, program []byte) (executable unsafe.Pointer, err error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(unsafe.SliceData(program))
	l := C.struct_pjrt_load{
		size: C.sizeof_struct_pjrt_load, client: client,
		bytes: (*C.char)(unsafe.Pointer(unsafe.SliceData(program))), bytes_size: C.size_t(len(program)),
	}
	err = k.call(C.pjrt_executable_deserialize_and_load, unsafe.Pointer(&l))
	return l.executable, err
}

// serialize returns a loaded executable as bytes.
func (k *programCache) serialize(executable unsafe.Pointer) ([]byte, error) {
	program, err := k.get(C.pjrt_loaded_executable_get_executable, executable)
	if err != nil {
		return nil, err
	}
	defer func() {
		d := C.struct_pjrt_destroy{size: C.sizeof_struct_pjrt_destroy, what: program}
		_ = k.call(C.pjrt_executable_destroy, unsafe.Pointer(&d))
	}()
	return k.bytes(C.pjrt_executable_serialize, program)
}

func (k *programCache) get(place C.int, from unsafe.Pointer) (unsafe.Pointer, error) {
	g := C.struct_pjrt_get{size: C.sizeof_struct_pjrt_get, from: from}
	err := k.call(place, unsafe.Pointer(&g))
	return g.got, err
}

func (k *programCache) bytes(place C.int, what unsafe.Pointer) ([]byte, error) {
	s := C.struct_pjrt_serialize{size: C.sizeof_struct_pjrt_serialize, what: what}
	if err := k.call(place, unsafe.Pointer(&s)); err != nil {
		return nil, err
	}
	defer C.pjrt_release(&s)
	return C.GoBytes(unsafe.Pointer(s.bytes), C.int(s.bytes_size)), nil
}

// key is the hash of everything that a compiled program depends on.
func (k *programCache) key(args *C.struct_pjrt_compile) (key filecache.Key, err error) {
	fixed, err := k.fixed()
	if err != nil {
		return key, err
	}
	topology, err := k.get(C.pjrt_client_topology_description, args.client)
	if err != nil {
		return key, err
	}
	devices, err := k.bytes(C.pjrt_topology_description_serialize, topology)
	if err != nil {
		return key, err
	}
	cores, err := schedulable()
	if err != nil {
		return key, err
	}
	h := sha256.New()
	for _, part := range [][]byte{
		fixed, devices, []byte(cores),
		given(args.program.format, args.program.format_size), given(args.program.code, args.program.code_size), given(args.options, args.options_size),
	} {
		fmt.Fprintf(h, "%d ", len(part))
		h.Write(part)
	}
	return filecache.Key(h.Sum(nil)), nil
}

func given(at *C.char, size C.size_t) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(at)), size) }
