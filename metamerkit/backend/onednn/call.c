//go:build cgo && linux && amd64

#include "call.h"

#include <sched.h>
#include <stdlib.h>

int asked(struct ffi_call *c) {
  for (struct ffi_extension *e = c->extension; e; e = e->next)
    if (e->type == ffi_is_metadata) {
      e->metadata->version.major = 0;
      e->metadata->version.minor = c->api ? c->api->version.minor : 3;
      e->metadata->traits = 0;
      return 1;
    }
  return 0;
}

void *failure(struct ffi_call *c, const char *message) {
  struct ffi_error e = {sizeof e, NULL, message, ffi_internal};
  return c->api->function[ffi_create_error](&e);
}

int64_t threads(struct ffi_call *c) {
  int64_t n = 1;
  struct ffi_threads t = {sizeof t, NULL, c->context, &n};
  return c->api->function[ffi_count_threads](&t) || n < 1 ? 1 : n;
}

// A helper that starts late finds no parts left; the last one that holds the memory frees it.
struct shared {
  struct work work;
  atomic_int next, done, failed, holders;
};

static void take(struct shared *s) {
  for (int i; (i = atomic_fetch_add(&s->next, 1)) < s->work.parts;) {
    if (s->work.part(&s->work, i)) atomic_store(&s->failed, 1);
    atomic_fetch_add(&s->done, 1);
  }
}

static void leave(struct shared *s) {
  if (atomic_fetch_sub(&s->holders, 1) == 1) free(s);
}

static void help(void *s) {
  take(s);
  leave(s);
}

int share(struct ffi_call *c, const struct work *w, int64_t threads) {
  struct shared *s = calloc(1, sizeof *s);
  if (!s) return 1;
  s->work = *w;
  int helpers = (w->parts < threads ? w->parts : threads) - 1;
  atomic_store(&s->holders, helpers + 1);
  for (int i = 0; i < helpers; i++) {
    struct ffi_schedule task = {sizeof task, NULL, c->context, help, s};
    if (c->api->function[ffi_schedule_task](&task)) leave(s);
  }
  take(s);
  for (int tries = 0; atomic_load(&s->done) < w->parts; tries++)
    if (tries < 2000) __builtin_ia32_pause();
    else sched_yield();
  int failed = atomic_load(&s->failed);
  leave(s);
  return failed;
}
