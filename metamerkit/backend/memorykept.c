//go:build cgo && linux

#include <malloc.h>

#include "memorykept.h"

#ifdef __GLIBC__
// Before any thread has memory. One arena, because the others give memory back whatever the
// threshold is; no mmap, because what it gives goes back when it is free.
__attribute__((constructor)) static void keep(void) {
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
}

void give_back(void) { malloc_trim(0); }
#else
void give_back(void) {}
#endif
