// Declarations of the few CBLAS and LAPACK routines the benchmark calls.
#include "openblas_peer.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <stdexcept>
#include <type_traits>

namespace dd::bench {
namespace {

constexpr int column_major = 102, no_transpose = 111, lower = 122, left = 141, non_unit = 131;

}  // namespace

OpenBlas::OpenBlas(const std::string& core) {
  unsetenv("OPENBLAS_L2_SIZE");
  if (core.empty()) {
    unsetenv("OPENBLAS_CORETYPE");
  } else {
    setenv("OPENBLAS_CORETYPE", core.c_str(), 1);
  }
  for (const char* name : {"libopenblas.so.0", "libopenblas.so"}) {
    library_ = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (library_ != nullptr) return;
  }
}

template <class Function>
Function* OpenBlas::find(const char* name) const {
  void* symbol = dlsym(library_, name);
  if (symbol == nullptr) throw std::runtime_error(std::string("OpenBLAS has no ") + name);
  return reinterpret_cast<Function*>(symbol);
}

std::string OpenBlas::core_name() const { return find<char*()>("openblas_get_corename")(); }
void OpenBlas::set_threads(int threads) const { find<void(int)>("openblas_set_num_threads")(threads); }

template <class T>
void OpenBlas::gemm(int m, int n, int k, const T* a, const T* b, T* c) const {
  using Function = void(int, int, int, int, int, int, T, const T*, int, const T*, int, T, T*, int);
  static auto* function = find<Function>(std::is_same_v<T, float> ? "cblas_sgemm" : "cblas_dgemm");
  function(column_major, no_transpose, no_transpose, m, n, k, T(1), a, m, b, k, T(0), c, m);
}

template <class T>
void OpenBlas::syrk(int n, int k, const T* a, T* c) const {
  using Function = void(int, int, int, int, int, T, const T*, int, T, T*, int);
  static auto* function = find<Function>(std::is_same_v<T, float> ? "cblas_ssyrk" : "cblas_dsyrk");
  function(column_major, lower, no_transpose, n, k, T(1), a, n, T(0), c, n);
}

template <class T>
void OpenBlas::cholesky(int n, T* a) const {
  static auto* function =
      find<void(const char*, const int*, T*, const int*, int*)>(std::is_same_v<T, float> ? "spotrf_" : "dpotrf_");
  int info = 0;
  function("L", &n, a, &n, &info);
  if (info != 0) throw std::runtime_error("OpenBLAS potrf failed");
}

template <class T>
void OpenBlas::inverse(int n, T* l) const {
  static auto* function = find<void(const char*, const char*, const int*, T*, const int*, int*)>(
      std::is_same_v<T, float> ? "strtri_" : "dtrtri_");
  int info = 0;
  function("L", "N", &n, l, &n, &info);
  if (info != 0) throw std::runtime_error("OpenBLAS trtri failed");
}

template <class T>
void OpenBlas::solve(int n, int m, const T* l, T* b) const {
  using Function = void(int, int, int, int, int, int, int, T, const T*, int, T*, int);
  static auto* function = find<Function>(std::is_same_v<T, float> ? "cblas_strsm" : "cblas_dtrsm");
  function(column_major, left, lower, no_transpose, non_unit, n, m, T(1), l, n, b, n);
}

template <class T>
void OpenBlas::gemv(int m, int k, const T* a, const T* x, T* y) const {
  using Function = void(int, int, int, int, T, const T*, int, const T*, int, T, T*, int);
  static auto* function = find<Function>(std::is_same_v<T, float> ? "cblas_sgemv" : "cblas_dgemv");
  function(column_major, no_transpose, m, k, T(1), a, m, x, 1, T(0), y, 1);
}

#define DD_INSTANTIATE(T)                                                       \
  template void OpenBlas::gemm<T>(int, int, int, const T*, const T*, T*) const; \
  template void OpenBlas::syrk<T>(int, int, const T*, T*) const;                \
  template void OpenBlas::cholesky<T>(int, T*) const;                           \
  template void OpenBlas::inverse<T>(int, T*) const;                            \
  template void OpenBlas::solve<T>(int, int, const T*, T*) const;               \
  template void OpenBlas::gemv<T>(int, int, const T*, const T*, T*) const;
DD_INSTANTIATE(float)
DD_INSTANTIATE(double)

}  // namespace dd::bench
