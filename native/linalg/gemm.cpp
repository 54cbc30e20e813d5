// Validation of the general product.
#include "linalg/gemm.hpp"

#include "core/thread_pool.hpp"
#include "linalg/product.hpp"

namespace dd::linalg {

template <class T>
void gemm(std::type_identity_t<T> alpha, MatrixView<const std::type_identity_t<T>> a,
          MatrixView<const std::type_identity_t<T>> b, std::type_identity_t<T> beta, MatrixView<T> c,
          std::size_t threads) {
  expect_shape("b", b.rows, b.columns, a.columns, b.columns);
  expect_shape("c", c.rows, c.columns, a.rows, b.columns);
  const auto left = checked(a, "a");
  const auto right = checked(b, "b");
  const auto out = checked_output(c, "c");
  ProductOptions options;
  options.threads = threads == 0 ? ThreadPool::default_threads() : threads;
  options.dots = true;
  multiply<T, T>(alpha, left, right, beta, out, options);
}

template void gemm<float>(float, MatrixView<const float>, MatrixView<const float>, float, MatrixView<float>,
                          std::size_t);
template void gemm<double>(double, MatrixView<const double>, MatrixView<const double>, double, MatrixView<double>,
                           std::size_t);

}  // namespace dd::linalg
