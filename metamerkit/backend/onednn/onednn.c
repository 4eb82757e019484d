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
  int (*equal)(handle, handle), (*attributes)(handle *), (*scratchpad)(handle, int), (*rounding)(handle, int), (*memory)(handle *, handle, handle, void *), (*destroy)(handle);
  void (*omp_threads)(int);
} dnnl;
static handle engine, attributes;

// What a part of a call does, with the descriptors of its memory and, in bytes, where its
// memory begins in that of the call.
struct primitive { handle run, in, kernel, out, scratch; int64_t from, to; };

enum { most_bands = 64, least_rows = 4 };

// A kind of call: what its parts do. Either a part is some images or rows, the last part fewer
// of them (rest), or it is a band of an image's rows.
struct kind {
  struct kind *next;
  int64_t key[21];
  int64_t size;                // bytes of a number
  int64_t each, bands;         // images or rows of a part, and bands of an image
  struct primitive most[most_bands], rest;
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
  struct { int what; handle memory; } a[4] = {0};
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
static int64_t type(struct ffi_list *l) { return ((struct ffi_buffer *)l->of[0])->type == ffi_float32 ? dnnl_f32 : dnnl_bf16; }
static char *data(struct ffi_list *l, int i) { return ((struct ffi_buffer *)l->of[i])->data; }

// The kind with a key, made by make if it is new; NULL if oneDNN has none.
static struct kind *find(const int64_t *key, int64_t each, int64_t bands, int (*make)(struct kind *k)) {
  pthread_mutex_lock(&lock);
  struct kind *k = kinds;
  while (k && memcmp(k->key, key, sizeof k->key)) k = k->next;
  if (!k && (k = calloc(1, sizeof *k))) {
    memcpy(k->key, key, sizeof k->key);
    k->size = key[20] == dnnl_f32 ? 4 : 2;
    k->each = each;
    k->bands = bands;
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

// Rows of an image, from a to b, that are computed from its rows first to last, with padding
// before and behind them.
struct band { int64_t a, b, first, last, before, behind; };

// Band i of n > 1 of a convolution with stride s and padding p, or of a deconvolution. A
// convolution's row r sees rows r·s−p to r·s−p+K−1; a deconvolution's row r is seen by the rows
// q with q·s−p ≤ r ≤ q·s−p+K−1.
static struct band band_of(int64_t i, int64_t n, int deconvolution, int64_t rows, int64_t height, int64_t k, int64_t s, int64_t p) {
  int64_t unit = deconvolution ? s : 1, units = (rows + unit - 1) / unit; // else oneDNN may want the kernel packed differently for each band
  struct band b = {units * i / n * unit, i + 1 < n ? units * (i + 1) / n * unit : rows, 0, 0, 0, 0};
  int64_t first = deconvolution ? (b.a + p - k + s) / s : b.a * s - p, last = deconvolution ? (b.b - 1 + p) / s : (b.b - 1) * s - p + k - 1;
  if (deconvolution && b.a + p - k + 1 < 0) first = 0;
  b.first = first < 0 ? 0 : first;
  b.last = last < height ? last : height - 1;
  b.before = deconvolution ? p + b.a - b.first * s : b.first - first;
  b.behind = deconvolution ? b.last * s + k - p - b.b : last - b.last;
  return b;
}

// Keys of convolutions: 1, x [B,H,W,C], kernel [K,K,·,·], height, width and channels of the
// result, what the program says (1 for a deconvolution, strides, padding, groups, or -1 for
// one group whose kernel has outputs before inputs), and the type of all numbers.
static int make_convolution(struct primitive *p, const int64_t *key, int64_t images, int64_t i, int64_t n, handle *wanted) {
  const int64_t *x = key + 1, *k = key + 5, *y = key + 9, *how = key + 12;
  int type = key[20], swapped = how[7] < 0;
  int64_t groups = swapped ? 1 : how[7];
  int64_t in = swapped ? k[3] : k[2], out = swapped ? k[2] : k[3] / groups, taps = k[1] * k[2] * k[3], columns = k[2] * k[3];
  int64_t size[] = {groups, out, in, k[0], k[1]}, step[] = {out, swapped ? k[3] : 1, swapped ? 1 : k[3], taps, columns};
  int from = groups == 1, rank = 5 - from;
  struct band b = n == 1 ? (struct band){0, y[0], 0, x[1] - 1, how[3], how[4]} : band_of(i, n, how[0], y[0], x[1], k[0], how[1], how[3]);
  int64_t height = b.last - b.first + 1, rows = b.b - b.a;
  p->from = b.first * x[2] * x[3];
  p->to = b.a * y[1] * y[2];
  handle descriptor = NULL;
  __typeof__(dnnl.convolution) make = how[0] ? dnnl.deconvolution : dnnl.convolution;
  return dnnl.strided(&p->in, 4, (int64_t[]){images, x[3], height, x[2]}, type, (int64_t[]){height * x[2] * x[3], 1, x[2] * x[3], x[3]}) ||
         dnnl.strided(&p->out, 4, (int64_t[]){images, y[2], rows, y[1]}, type, (int64_t[]){rows * y[1] * y[2], 1, y[1] * y[2], y[2]}) ||
         dnnl.strided(&p->kernel, rank, size + from, type, step + from) || dnnl.tagged(wanted, rank, size + from, type, dnnl_any) ||
         make(&descriptor, engine, dnnl_inference, how[0] ? dnnl_deconvolution : dnnl_convolution, p->in, *wanted, NULL, p->out, how + 1,
              (int64_t[]){0, 0}, (int64_t[]){b.before, how[5]}, (int64_t[]){b.behind, how[6]}, attributes) ||
         (*wanted = dnnl.descriptor(descriptor, dnnl_weights_desc, 0), finish(p, descriptor));
}

static int make_bands(struct kind *k) {
  handle wanted, same, reorder;
  int64_t rest = k->key[1] % k->each;
  if (make_convolution(k->most, k->key, k->each, 0, k->bands, &wanted)) return 1;
  for (int64_t i = 1; i < k->bands; i++)
    if (make_convolution(k->most + i, k->key, k->each, i, k->bands, &same) || !dnnl.equal(wanted, same)) return 1;
  if (rest && (make_convolution(&k->rest, k->key, rest, 0, 1, &same) || !dnnl.equal(wanted, same))) return 1;
  if (dnnl.equal(wanted, k->most->kernel)) return 0;
  k->packed = wanted;
  return dnnl.reorder(&reorder, k->most->kernel, engine, wanted, engine, NULL) || dnnl.primitive(&k->pack, reorder);
}

static int make_convolutions(struct kind *k) {
  if (!make_bands(k)) return 0;
  k->bands = 1; // oneDNN wants the kernel packed differently for some bands
  if (!make_bands(k)) return 0;
  k->each = k->key[1];
  return make_bands(k);
}

static int convolve_part(const struct work *w, int i) {
  const struct kind *k = w->kind;
  const int64_t *x = w->sizes + 1, *y = w->sizes + 9;
  int64_t first = i / k->bands * k->each;
  const struct primitive *p = first + k->each > x[0] ? &k->rest : k->most + i % k->bands;
  return run_part(p, k->pack ? k->packed : p->kernel, w->in + k->size * (first * x[1] * x[2] * x[3] + p->from), w->kernel,
                  w->out + k->size * (first * y[0] * y[1] * y[2] + p->to));
}

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

static void *convolve(struct ffi_call *c) {
  if (asked(c)) return NULL;
  if (begin()) return failure(c, "oneDNN does not start");
  int64_t n = threads(c), key[21] = {1};
  memcpy(key + 1, dims(&c->in, 0), 4 * sizeof *key);
  memcpy(key + 5, dims(&c->in, 1), 4 * sizeof *key);
  memcpy(key + 9, dims(&c->out, 0) + 1, 3 * sizeof *key);
  memcpy(key + 12, ((struct ffi_array *)c->attributes.of[0])->data, 8 * sizeof *key);
  key[20] = type(&c->in);
  // Each thread has some images or, where they are fewer than threads, a band of one.
  int one = key[12] && key[13] > key[5]; // no window of this deconvolution covers some rows: they are not divided
  int64_t least = key[12] && key[13] > least_rows ? key[13] : least_rows;
  int64_t bands = key[1] < n && !one ? smaller(smaller((n + key[1] - 1) / key[1], most_bands), (key[9] + least - 1) / least) : 1;
  struct kind *k = find(key, (key[1] + n - 1) / n, bands, make_convolutions);
  if (!k) return failure(c, "oneDNN has no such convolution");
  struct work w = {(key[1] + k->each - 1) / k->each * k->bands, convolve_part, k, key, data(&c->in, 0), data(&c->in, 1), data(&c->out, 0)};
  if (k->pack) {
    void *to = grow(&packed, dnnl.bytes(k->packed));
    if (!to || run(k->pack, 2, (int[]){dnnl_src, dnnl_dst}, (handle[]){k->most->kernel, k->packed}, (void *[]){w.kernel, to}))
      return failure(c, "oneDNN does not pack the kernel");
    w.kernel = to;
  }
  return share(c, &w, n) ? failure(c, "oneDNN does not convolve") : NULL;
}

// Keys of products: 2 and what the program says: sizes of two axes of stacks, M, N, K, the
// steps of the first factor along both stacks, M and K, those of the second along both, K
// and N; the type of all numbers is last. Results [stack,stack,M,N] have no gaps.
static int make_product(struct primitive *p, const int64_t *key, int64_t rows) {
  const int64_t *s = key + 1;
  int type = key[20];
  handle descriptor = NULL;
  return dnnl.strided(&p->in, 2, (int64_t[]){rows, s[4]}, type, s + 7) || dnnl.strided(&p->kernel, 2, (int64_t[]){s[4], s[3]}, type, s + 11) ||
         dnnl.strided(&p->out, 2, (int64_t[]){rows, s[3]}, type, (int64_t[]){s[3], 1}) ||
         dnnl.product(&descriptor, engine, p->in, p->kernel, NULL, p->out, attributes) || finish(p, descriptor);
}

static int make_products(struct kind *k) {
  int64_t rest = k->key[3] % k->each;
  return make_product(k->most, k->key, k->each) || (rest && make_product(&k->rest, k->key, rest));
}

static int multiply_part(const struct work *w, int i) {
  const struct kind *k = w->kind;
  const int64_t *s = w->sizes + 1;
  int64_t parts = (s[2] + k->each - 1) / k->each, stack = i / parts, first = i % parts * k->each, a = stack / s[1], b = stack % s[1];
  const struct primitive *p = first + k->each > s[2] ? &k->rest : k->most;
  return run_part(p, p->kernel, w->in + k->size * (a * s[5] + b * s[6] + first * s[7]), w->kernel + k->size * (a * s[9] + b * s[10]),
                  w->out + k->size * (stack * s[2] + first) * s[3]);
}

static void *multiply(struct ffi_call *c) {
  if (asked(c)) return NULL;
  if (begin()) return failure(c, "oneDNN does not start");
  int64_t n = threads(c), key[21] = {2};
  memcpy(key + 1, ((struct ffi_array *)c->attributes.of[0])->data, 13 * sizeof *key);
  key[20] = type(&c->in);
  int64_t stacks = key[1] * key[2], rows = key[3], each = stacks < n ? ((rows + n - 1) / n + 31) / 32 * 32 : rows;
  struct kind *k = find(key, smaller(each, rows), 1, make_products);
  if (!k) return failure(c, "oneDNN has no such product");
  struct work w = {stacks * ((rows + k->each - 1) / k->each), multiply_part, k, key, data(&c->in, 0), data(&c->in, 1), data(&c->out, 0)};
  return share(c, &w, n) ? failure(c, "oneDNN does not multiply") : NULL;
}

int onednn_bfloat16(void) { return (dnnl.isa() & dnnl_isa_bf16) == dnnl_isa_bf16; }

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
      {&dnnl.scratchpad, "dnnl_primitive_attr_set_scratchpad_mode"}, {&dnnl.rounding, "dnnl_primitive_attr_set_fpmath_mode"}, {&dnnl.memory, "dnnl_memory_create"}, {&dnnl.destroy, "dnnl_memory_destroy"},
      {&dnnl.omp_threads, "omp_set_num_threads"}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (!(*(void **)names[i].to = dlsym(library, names[i].name))) return dlerror();
  if (dnnl.engine(&engine, dnnl_cpu, 0) || dnnl.attributes(&attributes) || dnnl.scratchpad(attributes, dnnl_user_scratch) || dnnl.rounding(attributes, dnnl_strict)) return "oneDNN does not start";
  const char *wrong = add(e, "metamers.convolve", convolve);
  return wrong ? wrong : add(e, "metamers.multiply", multiply);
}
