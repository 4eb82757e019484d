package main

import (
	"bytes"
	"os"
	"syscall"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
)

// tunables is the variable that glibc reads its malloc's settings from at the start.
const tunables = "GLIBC_TUNABLES"

// largePages starts this program again with a malloc that asks the kernel for large
// pages, where they are to be had on request. XLA's CPU plugin takes the memory of a
// step new each time: in pages of 4 kB a quarter of a training step goes into that.
// A value that the user has set stays.
func largePages() {
	on, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled")
	if _, set := os.LookupEnv(tunables); set || err != nil || !backend.HasXLA || !bytes.Contains(on, []byte("[madvise]")) {
		return
	}
	self, err := os.Executable()
	if err != nil {
		return
	}
	// It comes back only where it failed; then everything goes on with small pages.
	_ = syscall.Exec(self, os.Args, append(os.Environ(), tunables+"=glibc.malloc.hugetlb=1"))
}
