// Validation and tasks of the copies.
#include "linalg/transpose.hpp"

#include <algorithm>

#include "core/thread_pool.hpp"
#include "linalg/product.hpp"

namespace dd::linalg {
namespace {

constexpr std::size_t transposed_tile = 64;
// Copying less than this per task costs more in waking threads than it saves.
constexpr std::size_t task_elements = std::size_t{1} << 16;

}  // namespace

template <class T>
void copy_matrix(MatrixView<const std::type_identity_t<T>> from, MatrixView<T> to, std::size_t threads) {
  expect_shape("to", to.rows, to.columns, from.rows, from.columns);
  const auto source = checked(from, "from");
  const auto target = checked_output(to, "to");
  if (from.rows == 0 || from.columns == 0) return;
  const std::size_t grain =
      std::max<std::size_t>(transposed_tile, task_elements / from.rows / transposed_tile * transposed_tile);
  parallel_for(threads, from.columns, grain, [&](std::size_t begin, std::size_t end) {
    copy<T>(source.block(0, begin, from.rows, end - begin), target.block(0, begin, from.rows, end - begin));
  });
}

template <class T>
void transpose(MatrixView<const std::type_identity_t<T>> from, MatrixView<T> to, std::size_t threads) {
  expect_shape("to", to.rows, to.columns, from.columns, from.rows);
  copy_matrix<T>(from.transposed(), to, threads);
}

template <class T>
void mirror_triangle(Triangle from, MatrixView<T> c, std::size_t threads) {
  expect_shape("c", c.rows, c.columns, c.rows, c.rows);
  Strided<T> lower = checked_output(c, "c");
  if (from == Triangle::upper) lower = lower.transposed();
  parallel_for(threads, c.rows, transposed_tile, [&](std::size_t begin, std::size_t end) {
    for (std::size_t j = begin; j < end; ++j) {
      for (std::size_t i = j + 1; i < end; ++i) lower(j, i) = lower(i, j);
    }
    const Strided<T> below = lower.block(end, begin, c.rows - end, end - begin);
    copy<T>(below, lower.block(begin, end, end - begin, c.rows - end).transposed());
  });
}

template void copy_matrix<float>(MatrixView<const float>, MatrixView<float>, std::size_t);
template void copy_matrix<double>(MatrixView<const double>, MatrixView<double>, std::size_t);
template void transpose<float>(MatrixView<const float>, MatrixView<float>, std::size_t);
template void transpose<double>(MatrixView<const double>, MatrixView<double>, std::size_t);
template void mirror_triangle<float>(Triangle, MatrixView<float>, std::size_t);
template void mirror_triangle<double>(Triangle, MatrixView<double>, std::size_t);

}  // namespace dd::linalg
