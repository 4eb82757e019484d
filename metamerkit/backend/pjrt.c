//go:build cgo && linux

#include <dlfcn.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "_cgo_export.h"

struct pjrt_table *pjrt_open(const char *path) {
  void *library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
  if (!library) return NULL;
  struct pjrt_table *(*get)(void) = (struct pjrt_table * (*)(void)) dlsym(library, "GetPjrtApi");
  struct pjrt_table *table = get ? get() : NULL;
  size_t least = offsetof(struct pjrt_table, function) + (pjrt_client_topology_description + 1) * sizeof(void *);
  return table && table->version.major == 0 && table->size >= least ? table : NULL;
}

// A function of the table is not told which table it is in, so each has a function of its own.
#define SLOT(n) \
  static void *compile##n(void *arguments) { return metamersCompile(n, arguments); }
SLOT(0)
SLOT(1)
SLOT(2)
SLOT(3)
static void *const compile[pjrt_slots] = {compile0, compile1, compile2, compile3};

void *pjrt_replace(struct pjrt_table *table, int slot) {
  void **place = &table->function[pjrt_client_compile];
  for (int i = 0; i < pjrt_slots; i++)
    if (*place == compile[i]) return NULL;
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)place & ~(page - 1);
  if (mprotect((void *)from, page, PROT_READ | PROT_WRITE)) return NULL;
  return __atomic_exchange_n(place, compile[slot], __ATOMIC_SEQ_CST);
}

void *pjrt_function(const struct pjrt_table *table, int place) { return table->function[place]; }

void *pjrt_call(void *function, void *arguments) { return ((void *(*)(void *))function)(arguments); }

void pjrt_release(struct pjrt_serialize *s) { s->release(s->owner); }
