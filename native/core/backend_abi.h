/* The contract between the library and a back end in its own file: C types only, nothing thrown, no memory freed by
 * the other side. A back end exports one function, DD_BACKEND_ENTRY, and nothing else. */
#ifndef DD_BACKEND_ABI_H
#define DD_BACKEND_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when the meaning of a member changes. New members go to the end and change struct_size only. */
#define DD_BACKEND_ABI 1u

enum {
  DD_BACKEND_OK = 0,
  DD_BACKEND_UNAVAILABLE = 1,   /* no driver, no device, driver too old, forked process */
  DD_BACKEND_OUT_OF_MEMORY = 2, /* device memory; the context goes on */
  DD_BACKEND_FAILED = 3,        /* the call failed; the context goes on */
  DD_BACKEND_DEVICE_LOST = 4    /* the context is dead: destroy it */
};

typedef struct DdBackendDeviceInfo {
  uint32_t struct_size; /* set by the caller: what it has room for */
  uint32_t compute_major;
  uint32_t compute_minor;
  uint32_t driver_version; /* 1000 major + 10 minor of the newest CUDA the driver knows */
  uint64_t memory_bytes;
  char name[256];
} DdBackendDeviceInfo;

/* One queue of work on one device. Calls on one context must not overlap; different contexts are independent. */
typedef struct DdBackendContext DdBackendContext;

typedef struct DdBackend {
  uint32_t abi;         /* DD_BACKEND_ABI of the back end */
  uint32_t struct_size; /* sizeof(DdBackend) of the back end */
  const char* name;

  /* Loads the driver at the first call. UNAVAILABLE with a reason in last_error, or OK with *count > 0. */
  int32_t (*device_count)(uint32_t* count);
  int32_t (*device_info)(uint32_t device, DdBackendDeviceInfo* info);

  int32_t (*create_context)(uint32_t device, DdBackendContext** context);
  void (*destroy_context)(DdBackendContext* context);

  int32_t (*allocate)(DdBackendContext* context, uint64_t bytes, void** device_memory); /* bytes > 0 */
  int32_t (*release)(DdBackendContext* context, void* device_memory);                   /* waits for queued work */

  /* Copies and launches are queued in order. Host memory must stay as it is until synchronize. */
  int32_t (*upload)(DdBackendContext* context, void* device_memory, const void* host, uint64_t bytes);
  int32_t (*download)(DdBackendContext* context, const void* device_memory, void* host, uint64_t bytes);

  /* A kernel's number in this context, by its symbol. */
  int32_t (*find_kernel)(DdBackendContext* context, const char* symbol, uint32_t* kernel);
  /* `arguments` are the bytes of the kernel's one parameter, copied before the call returns. */
  int32_t (*launch)(DdBackendContext* context, uint32_t kernel, const uint32_t grid[3], const uint32_t block[2],
                    const void* arguments);

  /* Waits, and reports what failed in queued work. */
  int32_t (*synchronize)(DdBackendContext* context);

  /* What went wrong in this thread's last failed call; valid until its next failed call. */
  const char* (*last_error)(void);
} DdBackend;

/* Null when the back end does not speak `abi`. */
typedef const DdBackend* (*DdBackendEntry)(uint32_t abi);
#define DD_BACKEND_ENTRY discrete_descent_backend_entry
#define DD_BACKEND_ENTRY_NAME "discrete_descent_backend_entry"

#ifdef __cplusplus
}
#endif

#endif
