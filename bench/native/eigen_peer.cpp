// All matrices column-major and tight, lower triangles.
#include "eigen_peer.hpp"

#include <Eigen/Cholesky>
#include <Eigen/Core>

namespace dd::bench::eigen {
namespace {

using Index = Eigen::Index;
template <class T>
using Matrix = Eigen::Map<Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>>;
template <class T>
using ConstMatrix = Eigen::Map<const Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>>;

Index index(std::size_t value) { return static_cast<Index>(value); }

}  // namespace

template <class T>
void gemm(std::size_t m, std::size_t n, std::size_t k, const T* a, const T* b, T* c) {
  Matrix<T>(c, index(m), index(n)).noalias() =
      ConstMatrix<T>(a, index(m), index(k)) * ConstMatrix<T>(b, index(k), index(n));
}

template <class T>
void syrk(std::size_t n, std::size_t k, const T* a, T* c) {
  Matrix<T> out(c, index(n), index(n));
  out.setZero();
  out.template selfadjointView<Eigen::Lower>().rankUpdate(ConstMatrix<T>(a, index(n), index(k)));
}

template <class T>
void cholesky(std::size_t n, T* a) {
  Matrix<T> matrix(a, index(n), index(n));
  Eigen::LLT<Eigen::Ref<Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>>, Eigen::Lower> factor(matrix);
}

template <class T>
void inverse(std::size_t n, T* l) {
  const Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic> copied = ConstMatrix<T>(l, index(n), index(n));
  Matrix<T> out(l, index(n), index(n));
  out.setIdentity();
  copied.template triangularView<Eigen::Lower>().solveInPlace(out);
}

template <class T>
void solve(std::size_t n, std::size_t m, const T* l, T* b) {
  Matrix<T> out(b, index(n), index(m));
  ConstMatrix<T>(l, index(n), index(n)).template triangularView<Eigen::Lower>().solveInPlace(out);
}

#define DD_INSTANTIATE(T)                                                               \
  template void gemm<T>(std::size_t, std::size_t, std::size_t, const T*, const T*, T*); \
  template void syrk<T>(std::size_t, std::size_t, const T*, T*);                        \
  template void cholesky<T>(std::size_t, T*);                                           \
  template void inverse<T>(std::size_t, T*);                                            \
  template void solve<T>(std::size_t, std::size_t, const T*, T*);
DD_INSTANTIATE(float)
DD_INSTANTIATE(double)

}  // namespace dd::bench::eigen
