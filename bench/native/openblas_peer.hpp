// OpenBLAS as a peer, found at run time: nothing of it is linked or shipped.
#pragma once

#include <string>

namespace dd::bench {

class OpenBlas {
 public:
  /// Loads the library with the kernels of `core` ("" lets it choose), or leaves `available` false. Values of
  /// OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE that happen to be set would make it run other kernels; they are removed.
  explicit OpenBlas(const std::string& core);

  bool available() const noexcept { return library_ != nullptr; }
  std::string core_name() const;
  void set_threads(int threads) const;

  template <class T>
  void gemm(int m, int n, int k, const T* a, const T* b, T* c) const;
  template <class T>
  void syrk(int n, int k, const T* a, T* c) const;
  template <class T>
  void cholesky(int n, T* a) const;
  template <class T>
  void inverse(int n, T* l) const;
  template <class T>
  void solve(int n, int m, const T* l, T* b) const;
  template <class T>
  void gemv(int m, int k, const T* a, const T* x, T* y) const;

 private:
  template <class Function>
  Function* find(const char* name) const;

  void* library_ = nullptr;
};

}  // namespace dd::bench
