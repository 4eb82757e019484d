// A call of XLA, and work that its threads share.
#pragma once
#include <stdatomic.h>

#include "facts.h"

// Returns whether XLA asks what version the function was written for, and answers it.
int asked(struct ffi_call *c);

// Makes an error of XLA.
void *failure(struct ffi_call *c, const char *message);

// How many threads XLA has.
int64_t threads(struct ffi_call *c);

// Parts of a product or convolution, which any thread may do in any order.
struct work {
  int parts;
  int (*part)(const struct work *w, int i); // returns whether it failed
  const struct kind *kind;
  const int64_t *sizes;
  char *in, *kernel, *out;
};

// Does all parts on this thread and on those of XLA that have time; returns whether one
// failed. It waits for parts that have begun only, so that busy threads cannot stop it.
int share(struct ffi_call *c, const struct work *w, int64_t threads);
