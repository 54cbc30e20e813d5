// Old-glibc shims, linked into every shipped Linux binary (cmake/old_glibc.cmake): each wrapped function is called at
// the oldest version that the platform has, so that a build on a current Debian loads on glibc 2.28. The old entries
// of exp, log and pow go through a slower wrapper; hot loops have their own.
#if defined(__linux__)
#include <pthread.h>
#endif

#if defined(__GLIBC__)  // known only after a header of the C library

#if defined(__x86_64__)
#define DD_OLDEST "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define DD_OLDEST "GLIBC_2.17"
#else
#error "add the oldest glibc version of this platform"
#endif

#define DD_OLD_VERSION(name) asm(".symver dd_old_" #name ", " #name "@" DD_OLDEST)

// libstdc++.a asks glibc 2.32 for this flag; zero means "assume threads", which is right in Node.
extern "C" {
__attribute__((visibility("hidden"))) char __libc_single_threaded = 0;  // NOLINT: the name is glibc's

// NOLINTBEGIN: the reserved names and C signatures are the linker's --wrap convention.
#define DD_WRAP(result, name, parameters, arguments) \
  DD_OLD_VERSION(name);                              \
  result dd_old_##name parameters;                   \
  __attribute__((visibility("hidden"))) result __wrap_##name parameters { return dd_old_##name arguments; }

DD_WRAP(int, pthread_create,
        (pthread_t * thread, const pthread_attr_t* attributes, void* (*start)(void*), void* argument),
        (thread, attributes, start, argument))
DD_WRAP(int, pthread_join, (pthread_t thread, void** result), (thread, result))
DD_WRAP(int, pthread_detach, (pthread_t thread), (thread))
DD_WRAP(int, pthread_once, (pthread_once_t * control, void (*initialise)()), (control, initialise))
DD_WRAP(int, pthread_key_create, (pthread_key_t * key, void (*destroy)(void*)), (key, destroy))
DD_WRAP(int, __pthread_key_create, (pthread_key_t * key, void (*destroy)(void*)), (key, destroy))
DD_WRAP(void*, dlopen, (const char* file, int mode), (file, mode))
DD_WRAP(void*, dlsym, (void* handle, const char* name), (handle, name))
DD_WRAP(char*, dlerror, (), ())
DD_WRAP(int, dlclose, (void* handle), (handle))
DD_WRAP(double, exp, (double x), (x))
DD_WRAP(double, log, (double x), (x))
DD_WRAP(double, pow, (double x, double y), (x, y))
DD_WRAP(double, exp2, (double x), (x))
DD_WRAP(double, log2, (double x), (x))
DD_WRAP(double, hypot, (double x, double y), (x, y))
// NOLINTEND
}

#endif
