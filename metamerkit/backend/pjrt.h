// The part of PJRT's C interface, major version 0, that keeping compiled programs takes: facts
// from XLA's pjrt_c_api.h. TestTable holds them against the copy that go-xla carries.
#pragma once
#include <stddef.h>

struct pjrt_program { size_t size; void *extension; const char *code; size_t code_size; const char *format; size_t format_size; };
struct pjrt_compile { size_t size; void *extension; void *client; const struct pjrt_program *program; const char *options; size_t options_size; void *executable; };
struct pjrt_load { size_t size; void *extension; void *client; const char *bytes; size_t bytes_size; void *executable; const char *options; size_t options_size; };
struct pjrt_get { size_t size; void *extension; void *from, *got; };
struct pjrt_serialize { size_t size; void *extension; void *what; const char *bytes; size_t bytes_size; void *owner; void (*release)(void *owner); };
struct pjrt_destroy { size_t size; void *extension; void *what; };
struct pjrt_message { size_t size; void *extension; void *error; const char *text; size_t text_size; };

// The table of functions that GetPjrtApi returns, and places in it.
struct pjrt_table {
  size_t size;
  void *extension;
  struct { size_t size; void *extension; int major, minor; } version;
  void *function[];
};
enum {
  pjrt_error_destroy = 0,
  pjrt_error_message = 1,
  pjrt_client_compile = 20,
  pjrt_executable_destroy = 40,
  pjrt_executable_serialize = 49,
  pjrt_loaded_executable_get_executable = 51,
  pjrt_executable_deserialize_and_load = 56,
  pjrt_topology_description_serialize = 87,
  pjrt_client_topology_description = 95,
};

// Plugins whose compilers can be replaced in one process.
enum { pjrt_slots = 4 };

// Loads a plugin and returns its table, NULL where it has none of major version 0 with all
// of the places above.
struct pjrt_table *pjrt_open(const char *path);

// Replaces the compiler of a table by metamersCompile(slot, …) and returns the original; NULL
// where the table cannot be written, or has been replaced already.
void *pjrt_replace(struct pjrt_table *table, int slot);

void *pjrt_function(const struct pjrt_table *table, int place);

// Calls a function; NULL is success.
void *pjrt_call(void *function, void *arguments);

// Frees what was serialized.
void pjrt_release(struct pjrt_serialize *s);
