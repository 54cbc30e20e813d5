// Right-looking blocked Cholesky: factor a diagonal block, solve the rows below, update what is left.
#include "linalg/cholesky.hpp"

#include <algorithm>
#include <array>

#include "core/aligned_buffer.hpp"
#include "core/thread_pool.hpp"
#include "linalg/product.hpp"
#include "linalg/triangular.hpp"

namespace dd::linalg {
namespace {

template <class T>
void copy_lower(Strided<const T> from, Strided<T> to) {
  constexpr std::size_t side = 64;
  for (std::size_t j = 0; j < from.rows; j += side) {
    const std::size_t columns = std::min(side, from.rows - j);
    for (std::size_t c = 0; c < columns; ++c) {
      for (std::size_t i = j + c; i < j + columns; ++i) to(i, j + c) = from(i, j + c);
    }
    const std::size_t below = from.rows - j - columns;
    copy<T>(from.block(j + columns, j, below, columns), to.block(j + columns, j, below, columns));
  }
}

/// Unit row stride.
template <class T>
std::size_t factor(Strided<T> a, std::size_t threads) {
  const std::size_t n = a.rows;
  std::array<T, panel_columns> reciprocal;
  for (std::size_t first = 0; first < n; first += panel_columns) {
    const std::size_t width = std::min(panel_columns, n - first);
    const CholeskyPanelArguments<T> panel{width, a.at(first, first), a.column_stride, reciprocal.data()};
    if (const std::size_t pivot = Kernels<T>::cholesky_panel(&panel)) return first + pivot;
    const std::size_t below = n - first - width;
    if (below == 0) break;
    const Strided<T> rows = a.block(first + width, first, below, width);
    const std::size_t grain =
        threads <= 1 || below < 96 ? below : std::max<std::size_t>(48, (below / (threads * 2) + 47) / 48 * 48);
    parallel_for(threads, below, grain, [&](std::size_t begin, std::size_t end) {
      const SolveArguments<T> solve{end - begin, width,          rows.at(begin, 0), rows.column_stride,
                                    panel.a,     panel.a_stride, reciprocal.data()};
      Kernels<T>::solve(&solve);
    });
    ProductOptions options;
    options.threads = threads;
    options.part = ProductPart::lower;
    options.pool_awake = true;
    multiply<T, T>(T(-1), rows, rows.transposed(), T(1), a.block(first + width, first + width, below, below), options);
  }
  return 0;
}

}  // namespace

template <class T>
std::size_t cholesky(MatrixView<T> a, Triangle triangle, std::size_t threads) {
  expect_shape("a", a.rows, a.columns, a.rows, a.rows);
  Strided<T> matrix = checked_output(a, "a");
  if (a.rows == 0) return 0;
  if (threads == 0) threads = ThreadPool::default_threads();
  if (triangle == Triangle::upper) matrix = matrix.transposed();
  if (matrix.row_stride == 1) return factor(matrix, threads);
  const std::size_t stride = scratch_stride<T>(a.rows);
  AlignedBuffer<T> buffer(stride * a.rows, T(0));
  const Strided<T> copied = column_major(buffer.data(), a.rows, a.rows, stride);
  copy_lower<T>(matrix, copied);
  const std::size_t pivot = factor(copied, threads);
  copy_lower<T>(copied, matrix);
  return pivot;
}

template <class T>
std::size_t cholesky_solve(MatrixView<const std::type_identity_t<T>> factor, MatrixView<T> b, Triangle triangle,
                           std::size_t threads) {
  const MatrixView<const T> lower = triangle == Triangle::lower ? factor : factor.transposed();
  if (const std::size_t index = solve_triangular<T>(Side::left, Triangle::lower, lower, b, threads)) return index;
  return solve_triangular<T>(Side::left, Triangle::upper, lower.transposed(), b, threads);
}

template std::size_t cholesky<float>(MatrixView<float>, Triangle, std::size_t);
template std::size_t cholesky<double>(MatrixView<double>, Triangle, std::size_t);
template std::size_t cholesky_solve<float>(MatrixView<const float>, MatrixView<float>, Triangle, std::size_t);
template std::size_t cholesky_solve<double>(MatrixView<const double>, MatrixView<double>, Triangle, std::size_t);

}  // namespace dd::linalg
