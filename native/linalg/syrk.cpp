// Validation of the symmetric product.
#include "linalg/syrk.hpp"

#include "core/thread_pool.hpp"
#include "linalg/blocking.hpp"
#include "linalg/product.hpp"

namespace dd::linalg {
namespace {

template <class T, class Sum>
void multiply_symmetric(Sum alpha, MatrixView<const T> a, Sum beta, MatrixView<Sum> c, Triangle triangle,
                        std::size_t threads) {
  expect_shape("c", c.rows, c.columns, a.rows, a.rows);
  const auto left = checked(a, "a");
  const auto out = checked_output(c, "c");
  ProductOptions options;
  options.threads = threads == 0 ? ThreadPool::default_threads() : threads;
  options.part = triangle == Triangle::lower ? ProductPart::lower : ProductPart::upper;
  multiply<T, Sum>(alpha, left, left.transposed(), beta, out, options);
}

}  // namespace

template <class T>
void syrk(std::type_identity_t<T> alpha, MatrixView<const std::type_identity_t<T>> a, std::type_identity_t<T> beta,
          MatrixView<T> c, Triangle triangle, std::size_t threads) {
  multiply_symmetric<T, T>(alpha, a, beta, c, triangle, threads);
}

void syrk(double alpha, MatrixView<const float> a, double beta, MatrixView<double> c, Triangle triangle,
          std::size_t threads) {
  multiply_symmetric<float, double>(alpha, a, beta, c, triangle, threads);
}

std::size_t syrk_chain(std::size_t samples) noexcept {
  return product_depth_step(samples, product_depth_of<float, double>);
}

template void syrk<float>(float, MatrixView<const float>, float, MatrixView<float>, Triangle, std::size_t);
template void syrk<double>(double, MatrixView<const double>, double, MatrixView<double>, Triangle, std::size_t);

}  // namespace dd::linalg
