/* What tests may ask of the fake driver beside the CUDA functions. Its behaviour comes from environment variables,
 * read by cuInit and by fakecuda_configure:
 *   FAKECUDA_MODE=delayed        copies and launches wait for a synchronisation, then run in a random legal order
 *   FAKECUDA_SEED=n              of that order and of the checking executor
 *   FAKECUDA_DEVICES=n           how many devices there are (1)
 *   FAKECUDA_DRIVER_VERSION=n    what cuDriverGetVersion says
 *   FAKECUDA_LOAD_RESULT=n       what cuModuleLoadData answers
 *   FAKECUDA_OUT_OF_MEMORY_AT=n  the n-th allocation from now on fails, those after it work again
 *   FAKECUDA_FAIL_LAUNCH_AT=n    the n-th launch is refused (701), the context goes on
 *   FAKECUDA_FAULT_AT=n          the n-th launch dies on the device (719): the next synchronisation and all after fail
 *   FAKECUDA_LOSE_DEVICE_AT=n    from the n-th call on every call answers 999 */
#ifndef FAKECUDA_H
#define FAKECUDA_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct FakeCudaCounts {
  long allocations; /* live */
  long streams;     /* live */
  long modules;     /* live */
  long contexts;    /* primary contexts retained */
  long pending;     /* queued operations */
  long launches;    /* executed since configure */
  long calls;       /* since configure */
  long allocated;   /* allocations tried since configure */
} FakeCudaCounts;

/* Reads the environment again, forgets sticky errors, complaints and counters; live objects stay. */
typedef void (*FakeCudaConfigure)(void);
typedef void (*FakeCudaCountsFunction)(FakeCudaCounts* counts);
/* The first complaint since configure: a copy out of bounds, a broken rule of the checking executor, a call without a
 * current context ...; empty when there was none. */
typedef const char* (*FakeCudaComplaint)(void);

#ifdef __cplusplus
}
#endif

#endif
