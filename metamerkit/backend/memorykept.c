//go:build cgo && linux

#include <malloc.h>

#include "memorykept.h"

#ifdef __GLIBC__
// This runs before main, because a thread gets its arena when it first allocates. There is one
// arena, because the others return free memory to the system whatever the threshold is, and no
// mmap, because malloc returns memory from mmap as soon as it is free.
__attribute__((constructor)) static void keep(void) {
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
}

void give_back(void) { malloc_trim(0); }
#else
void give_back(void) {}
#endif
