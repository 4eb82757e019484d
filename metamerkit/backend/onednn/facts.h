// The parts of three C interfaces that this package needs: facts from XLA's xla/ffi/api/c_api.h
// (version 0.3), from PJRT's FFI extension, and from oneDNN's oneapi/dnnl (version 3).
#pragma once
#include <stddef.h>
#include <stdint.h>

// XLA's foreign functions.
struct ffi_span { const char *at; size_t size; };
struct ffi_buffer { size_t size; void *extension; int type; void *data; int64_t rank, *dims; };
struct ffi_array { int type; size_t size; void *data; };
struct ffi_list { size_t size; void *extension; int64_t n; int *types; void **of; };
struct ffi_attributes { size_t size; void *extension; int64_t n; int *types; struct ffi_span **names; void **of; };
struct ffi_version { size_t size; void *extension; int major, minor; };
struct ffi_api { size_t size; void *extension; struct ffi_version version; void *internal, *(*function[])(void *); };
struct ffi_call { size_t size; void *extension; const struct ffi_api *api; void *context; int stage; struct ffi_list in, out; struct ffi_attributes attributes; void *future; };
struct ffi_metadata { size_t size; struct ffi_version version; uint32_t traits; int64_t state; };
struct ffi_extension { size_t size; int type; void *next; struct ffi_metadata *metadata; };
struct ffi_error { size_t size; void *extension; const char *message; int code; };
struct ffi_schedule { size_t size; void *extension, *context; void (*task)(void *); void *data; };
struct ffi_threads { size_t size; void *extension, *context; int64_t *n; };
enum { ffi_create_error = 0, ffi_schedule_task = 11, ffi_count_threads = 12, ffi_is_metadata = 1, ffi_internal = 13, ffi_float32 = 11 };

// PJRT's extension with which functions are registered; pjrt_table is the beginning of what
// GetPjrtApi returns.
struct pjrt_register { size_t size; const char *name; size_t name_size; void *handler; const char *platform; size_t platform_size; int traits; };
struct pjrt_extension { size_t size; int type; struct pjrt_extension *next; void *type_id, *user_data, *(*add)(struct pjrt_register *); };
struct pjrt_table_head { size_t size; struct pjrt_extension *extension; };
enum { pjrt_is_ffi = 5 };

// oneDNN.
enum {
  dnnl_bf16 = 2, dnnl_f32 = 3, dnnl_cpu = 1, dnnl_in_order = 1, dnnl_any = 1, dnnl_user_scratch = 1, dnnl_strict = 0,
  dnnl_inference = 96, dnnl_convolution = 0x1, dnnl_deconvolution = 0xa, dnnl_isa_bf16 = 0xe7,
  dnnl_weights_desc = 131, dnnl_scratch_desc = 136,
  dnnl_src = 1, dnnl_weights = 33, dnnl_dst = 17, dnnl_scratch = 80,
};
