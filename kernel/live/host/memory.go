package main

import (
	"bufio"
	"debug/elf"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// A plugin has a copy of all that its cell links and that is not in the shared library: 1 MB
// and more of code and tables without a library or with large packages, read once, when it is
// loaded. They stay in its file, and release gives their memory back, where it is worth it.

const worth = 1 << 20 // bytes

// segments returns where the part of a plugin's file begins that is written in memory, and
// how many bytes that part has. What is zero at first is no part of the file and takes memory
// once it is written: 32 MB where net/http is linked, which nobody writes.
func segments(file string) (written uint64, bytes int64, err error) {
	f, err := elf.Open(file)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_W != 0 {
			if bytes == 0 {
				written = p.Off &^ uint64(os.Getpagesize()-1)
			}
			bytes += int64(p.Filesz)
		}
	}
	return written, bytes, nil
}

// release gives the memory of a plugin back that is as it is in its file. It is read again
// when it is needed.
func release(file string, written uint64) {
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		line := lines.Text()
		if !strings.Contains(line, file) { // it may have been removed already
			continue
		}
		var from, to uintptr
		var may string
		var at uint64
		if _, err := fmt.Sscanf(line, "%x-%x %s %x", &from, &to, &may, &at); err == nil && may[1] != 'w' && at < written {
			syscall.Syscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_DONTNEED)
		}
	}
}
