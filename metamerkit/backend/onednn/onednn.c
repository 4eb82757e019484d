//go:build cgo && linux && amd64

#include "onednn.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"

typedef void *handle; // of an object of oneDNN

static struct {
  int (*isa)(void), (*engine)(handle *, int, size_t), (*stream)(handle *, handle, unsigned);
  int (*strided)(handle *, int, const int64_t *, int, const int64_t *), (*tagged)(handle *, int, const int64_t *, int, int);
  int (*convolution)(handle *, handle, int, int, handle, handle, handle, handle, const int64_t *, const int64_t *, const int64_t *, const int64_t *, handle);
  int (*deconvolution)(handle *, handle, int, int, handle, handle, handle, handle, const int64_t *, const int64_t *, const int64_t *, const int64_t *, handle);
  int (*product)(handle *, handle, handle, handle, handle, handle, handle), (*reorder)(handle *, handle, handle, handle, handle, handle);
  int (*primitive)(handle *, handle), (*execute)(handle, handle, int, const void *);
  handle (*descriptor)(handle, int, int);
  size_t (*bytes)(handle);
  int (*equal)(handle, handle), (*attributes)(handle *), (*scratchpad)(handle, int), (*memory)(handle *, handle, handle, void *), (*destroy)(handle);
  void (*omp_threads)(int);
} dnnl;
static handle engine, attributes;

// A primitive for a number of images or rows, with the descriptors of its memory.
struct primitive { handle run, in, kernel, out, scratch; };

// A kind of call: what its parts do, all but the last and the last, which may be smaller.
struct kind {
  struct kind *next;
  int64_t key[20];
  int64_t each;                // images or rows of a part
  struct primitive most, rest;
  handle pack, packed;         // brings a kernel into the form that a convolution wants, or NULL
};
static struct kind *kinds;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

// Memory of a thread that grows as needed.
struct room { void *at; size_t size; };
static _Thread_local struct room scratch, packed;
static _Thread_local handle stream;

static void *grow(struct room *r, size_t size) {
  if (size > r->size) {
    free(r->at);
    r->at = aligned_alloc(64, (size + 63) / 64 * 64);
    r->size = r->at ? size : 0;
  }
  return r->at;
}

// XLA's threads divide the work, so oneDNN has one on each.
static int begin(void) {
  if (stream) return 0;
  dnnl.omp_threads(1);
  return dnnl.stream(&stream, engine, dnnl_in_order);
}

static int run(handle primitive, int n, const int *what, const handle *descriptors, void *const *data) {
  struct { int what; handle memory; } a[4];
  int made = 0, failed = 0;
  for (; made < n && !failed; made++) {
    a[made].what = what[made];
    failed = dnnl.memory(&a[made].memory, descriptors[made], engine, data[made]);
  }
  if (!failed) failed = dnnl.execute(primitive, stream, n, a);
  while (made--) dnnl.destroy(a[made].memory);
  return failed;
}

static int run_part(const struct primitive *p, handle kernel, char *in, char *at, char *out) {
  if (begin()) return 1;
  size_t size = p->scratch ? dnnl.bytes(p->scratch) : 0;
  void *room = size ? grow(&scratch, size) : NULL;
  if (size && !room) return 1;
  return run(p->run, size ? 4 : 3, (int[]){dnnl_src, dnnl_weights, dnnl_dst, dnnl_scratch},
             (handle[]){p->in, kernel, p->out, p->scratch}, (void *[]){in, at, out, room});
}

static int finish(struct primitive *p, handle descriptor) {
  p->scratch = dnnl.descriptor(descriptor, dnnl_scratch_desc, 0);
  return dnnl.primitive(&p->run, descriptor);
}

static const int64_t *dims(struct ffi_list *l, int i) { return ((struct ffi_buffer *)l->of[i])->dims; }
static char *data(struct ffi_list *l, int i) { return ((struct ffi_buffer *)l->of[i])->data; }

// The kind with a key, made by make if it is new; NULL if oneDNN has none.
static struct kind *find(const int64_t *key, int64_t each, int (*make)(struct kind *k)) {
  pthread_mutex_lock(&lock);
  struct kind *k = kinds;
  while (k && memcmp(k->key, key, sizeof k->key)) k = k->next;
  if (!k && (k = calloc(1, sizeof *k))) {
    memcpy(k->key, key, sizeof k->key);
    k->each = each;
    if (make(k)) {
      free(k);
      k = NULL;
    } else {
      k->next = kinds;
      kinds = k;
    }
  }
  pthread_mutex_unlock(&lock);
  return k;
}

// Keys of convolutions: 1, x [B,H,W,C], kernel [K,K,·,·], height, width and channels of the
// result, and what the program says: 1 for a deconvolution, strides, padding, groups, or -1 for
// one group whose kernel has outputs before inputs.
static int make_convolution(struct primitive *p, const int64_t *key, int64_t images, handle *wanted) {
  const int64_t *x = key + 1, *k = key + 5, *y = key + 9, *how = key + 12;
  int swapped = how[7] < 0;
  int64_t groups = swapped ? 1 : how[7];
  int64_t in = swapped ? k[3] : k[2], out = swapped ? k[2] : k[3] / groups, taps = k[1] * k[2] * k[3], columns = k[2] * k[3];
  int64_t size[] = {groups, out, in, k[0], k[1]}, step[] = {out, swapped ? k[3] : 1, swapped ? 1 : k[3], taps, columns};
  int from = groups == 1, rank = 5 - from;
  handle descriptor = NULL;
  __typeof__(dnnl.convolution) make = how[0] ? dnnl.deconvolution : dnnl.convolution;
  return dnnl.strided(&p->in, 4, (int64_t[]){images, x[3], x[1], x[2]}, dnnl_bf16, (int64_t[]){x[1] * x[2] * x[3], 1, x[2] * x[3], x[3]}) ||
         dnnl.strided(&p->out, 4, (int64_t[]){images, y[2], y[0], y[1]}, dnnl_bf16, (int64_t[]){y[0] * y[1] * y[2], 1, y[1] * y[2], y[2]}) ||
         dnnl.strided(&p->kernel, rank, size + from, dnnl_bf16, step + from) || dnnl.tagged(wanted, rank, size + from, dnnl_bf16, dnnl_any) ||
         make(&descriptor, engine, dnnl_inference, how[0] ? dnnl_deconvolution : dnnl_convolution, p->in, *wanted, NULL, p->out, how + 1,
              (int64_t[]){0, 0}, (int64_t[]){how[3], how[5]}, (int64_t[]){how[4], how[6]}, attributes) ||
         (*wanted = dnnl.descriptor(descriptor, dnnl_weights_desc, 0), finish(p, descriptor));
}

static int make_convolutions(struct kind *k) {
  handle wanted, same, reorder;
  int64_t rest = k->key[1] % k->each;
  if (make_convolution(&k->most, k->key, k->each, &wanted) || (rest && make_convolution(&k->rest, k->key, rest, &same))) return 1;
  if (dnnl.equal(wanted, k->most.kernel)) return 0;
  k->packed = wanted;
  return (rest && !dnnl.equal(wanted, same)) || dnnl.reorder(&reorder, k->most.kernel, engine, wanted, engine, NULL) || dnnl.primitive(&k->pack, reorder);
}

static int convolve_part(const struct work *w, int i) {
  const struct kind *k = w->kind;
  const int64_t *x = w->sizes + 1, *y = w->sizes + 9;
  int64_t first = i * k->each;
  const struct primitive *p = first + k->each > x[0] ? &k->rest : &k->most;
  return run_part(p, k->pack ? k->packed : p->kernel, w->in + 2 * first * x[1] * x[2] * x[3], w->kernel, w->out + 2 * first * y[0] * y[1] * y[2]);
}

static void *convolve(struct ffi_call *c) {
  if (asked(c)) return NULL;
  if (begin()) return failure(c, "oneDNN does not start");
  int64_t n = threads(c), key[20] = {1};
  memcpy(key + 1, dims(&c->in, 0), 4 * sizeof *key);
  memcpy(key + 5, dims(&c->in, 1), 4 * sizeof *key);
  memcpy(key + 9, dims(&c->out, 0) + 1, 3 * sizeof *key);
  memcpy(key + 12, ((struct ffi_array *)c->attributes.of[0])->data, 8 * sizeof *key);
  struct kind *k = find(key, (key[1] + n - 1) / n, make_convolutions);
  if (!k) return failure(c, "oneDNN has no such convolution");
  struct work w = {(key[1] + k->each - 1) / k->each, convolve_part, k, key, data(&c->in, 0), data(&c->in, 1), data(&c->out, 0)};
  if (k->pack) {
    void *to = grow(&packed, dnnl.bytes(k->packed));
    if (!to || run(k->pack, 2, (int[]){dnnl_src, dnnl_dst}, (handle[]){k->most.kernel, k->packed}, (void *[]){w.kernel, to}))
      return failure(c, "oneDNN does not pack the kernel");
    w.kernel = to;
  }
  return share(c, &w, n) ? failure(c, "oneDNN does not convolve") : NULL;
}

// Keys of products: 2 and what the program says: sizes of two axes of stacks, M, N, K, the
// steps of the first factor along both stacks, M and K, those of the second along both, K
// and N. Results [stack,stack,M,N] have no gaps.
static int make_product(struct primitive *p, const int64_t *key, int64_t rows) {
  const int64_t *s = key + 1;
  handle descriptor = NULL;
  return dnnl.strided(&p->in, 2, (int64_t[]){rows, s[4]}, dnnl_bf16, s + 7) || dnnl.strided(&p->kernel, 2, (int64_t[]){s[4], s[3]}, dnnl_bf16, s + 11) ||
         dnnl.strided(&p->out, 2, (int64_t[]){rows, s[3]}, dnnl_bf16, (int64_t[]){s[3], 1}) ||
         dnnl.product(&descriptor, engine, p->in, p->kernel, NULL, p->out, attributes) || finish(p, descriptor);
}

static int make_products(struct kind *k) {
  int64_t rest = k->key[3] % k->each;
  return make_product(&k->most, k->key, k->each) || (rest && make_product(&k->rest, k->key, rest));
}

static int multiply_part(const struct work *w, int i) {
  const struct kind *k = w->kind;
  const int64_t *s = w->sizes + 1;
  int64_t parts = (s[2] + k->each - 1) / k->each, stack = i / parts, first = i % parts * k->each, a = stack / s[1], b = stack % s[1];
  const struct primitive *p = first + k->each > s[2] ? &k->rest : &k->most;
  return run_part(p, p->kernel, w->in + 2 * (a * s[5] + b * s[6] + first * s[7]), w->kernel + 2 * (a * s[9] + b * s[10]), w->out + 2 * (stack * s[2] + first) * s[3]);
}

static void *multiply(struct ffi_call *c) {
  if (asked(c)) return NULL;
  if (begin()) return failure(c, "oneDNN does not start");
  int64_t n = threads(c), key[20] = {2};
  memcpy(key + 1, ((struct ffi_array *)c->attributes.of[0])->data, 13 * sizeof *key);
  int64_t stacks = key[1] * key[2], rows = key[3], each = stacks < n ? ((rows + n - 1) / n + 31) / 32 * 32 : rows;
  struct kind *k = find(key, each < rows ? each : rows, make_products);
  if (!k) return failure(c, "oneDNN has no such product");
  struct work w = {stacks * ((rows + k->each - 1) / k->each), multiply_part, k, key, data(&c->in, 0), data(&c->in, 1), data(&c->out, 0)};
  return share(c, &w, n) ? failure(c, "oneDNN does not multiply") : NULL;
}

static const char *add(struct pjrt_extension *e, const char *name, void *handler) {
  struct pjrt_register r = {offsetof(struct pjrt_register, traits) + sizeof r.traits, name, strlen(name), handler, "Host", 4, 0};
  return e->add(&r) ? "the plugin does not register functions" : NULL;
}

const char *onednn_open(void *table, const char *file) {
  struct pjrt_extension *e = ((struct pjrt_table_head *)table)->extension;
  while (e && e->type != pjrt_is_ffi) e = e->next;
  if (!e || e->size < sizeof *e) return "the plugin takes no functions of others";
  void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (!library) return dlerror();
  const struct { void *to; const char *name; } names[] = {
      {&dnnl.isa, "dnnl_get_effective_cpu_isa"}, {&dnnl.engine, "dnnl_engine_create"}, {&dnnl.stream, "dnnl_stream_create"},
      {&dnnl.strided, "dnnl_memory_desc_create_with_strides"}, {&dnnl.tagged, "dnnl_memory_desc_create_with_tag"},
      {&dnnl.convolution, "dnnl_convolution_forward_primitive_desc_create"}, {&dnnl.deconvolution, "dnnl_deconvolution_forward_primitive_desc_create"},
      {&dnnl.product, "dnnl_matmul_primitive_desc_create"}, {&dnnl.reorder, "dnnl_reorder_primitive_desc_create"},
      {&dnnl.primitive, "dnnl_primitive_create"}, {&dnnl.execute, "dnnl_primitive_execute"}, {&dnnl.descriptor, "dnnl_primitive_desc_query_md"},
      {&dnnl.bytes, "dnnl_memory_desc_get_size"}, {&dnnl.equal, "dnnl_memory_desc_equal"}, {&dnnl.attributes, "dnnl_primitive_attr_create"},
      {&dnnl.scratchpad, "dnnl_primitive_attr_set_scratchpad_mode"}, {&dnnl.memory, "dnnl_memory_create"}, {&dnnl.destroy, "dnnl_memory_destroy"},
      {&dnnl.omp_threads, "omp_set_num_threads"}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (!(*(void **)names[i].to = dlsym(library, names[i].name))) return dlerror();
  if ((dnnl.isa() & dnnl_isa_bf16) != dnnl_isa_bf16) return "the processor has no instructions for bfloat16 (avx512_bf16)";
  if (dnnl.engine(&engine, dnnl_cpu, 0) || dnnl.attributes(&attributes) || dnnl.scratchpad(attributes, dnnl_user_scratch)) return "oneDNN does not start";
  const char *wrong = add(e, "metamers.convolve", convolve);
  return wrong ? wrong : add(e, "metamers.multiply", multiply);
}
