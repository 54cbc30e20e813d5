// Triangular solve brought to one case (X = X L^-T) by transposing and reversing views, and the recursive inverse.
#include "linalg/triangular.hpp"

#include <algorithm>
#include <vector>

#include "core/thread_pool.hpp"
#include "linalg/blocking.hpp"
#include "linalg/product.hpp"
#include "linalg/solve.hpp"
#include "linalg/workspace.hpp"

namespace dd::linalg {
namespace {

template <class T>
void invert_leaf(Strided<T> l) {
  T* work = scratch<T>(Scratch::strip, invert_leaf_scratch);
  if (l.row_stride == 1) {
    const InvertLeafArguments<T> arguments{l.rows, l.data, l.column_stride, work};
    Kernels<T>::invert_leaf(&arguments);
    return;
  }
  const std::size_t stride = scratch_stride<T>(l.rows);
  const Strided<T> copied = column_major(scratch<T>(Scratch::triangle, stride * l.rows), l.rows, l.rows, stride);
  for (std::size_t j = 0; j < l.rows; ++j) {
    for (std::size_t i = j; i < l.rows; ++i) copied(i, j) = l(i, j);
  }
  const InvertLeafArguments<T> arguments{l.rows, copied.data, copied.column_stride, work};
  Kernels<T>::invert_leaf(&arguments);
  for (std::size_t j = 0; j < l.rows; ++j) {
    for (std::size_t i = j; i < l.rows; ++i) l(i, j) = copied(i, j);
  }
}

/// L21 := -(L22^-1 L21) L11^-1, both diagonal blocks inverted already. Columns of the first product and rows of the
/// second are independent.
template <class T>
void join_inverses(Strided<T> l, std::size_t threads) {
  const std::size_t n = l.rows, half = recursion_half(n), rest = n - half;
  const Strided<const T> upper = l.block(0, 0, half, half), lower = l.block(half, half, rest, rest);
  const Strided<T> corner = l.block(half, 0, rest, half);
  const std::size_t pieces = threads <= 1 || n < 96 ? 1 : n < 1024 ? threads : threads * 2;
  const auto grain = [&](std::size_t count) { return ((count + pieces - 1) / pieces + 23) / 24 * 24; };
  parallel_for(threads, half, grain(half), [&](std::size_t begin, std::size_t end) {
    multiply_triangular_left<T>(T(1), lower, corner.block(0, begin, rest, end - begin));
  });
  parallel_for(threads, rest, grain(rest), [&](std::size_t begin, std::size_t end) {
    multiply_triangular_right<T>(T(-1), corner.block(begin, 0, end - begin, half), upper);
  });
}

template <class T>
void invert_serially(Strided<T> l) {
  if (l.rows <= inverse_leaf) return invert_leaf(l);
  const std::size_t half = recursion_half(l.rows);
  invert_serially<T>(l.block(0, 0, half, half));
  invert_serially<T>(l.block(half, half, l.rows - half, l.rows - half));
  join_inverses<T>(l, 1);
}

template <class T>
void invert(Strided<T> l, std::size_t threads) {
  if (threads <= 1 || l.rows < 192) return invert_serially(l);
  // The tree of halvings is cut where its branches are many enough to be tasks; above the cut they are joined one
  // after the other with all threads.
  std::vector<std::vector<Strided<T>>> levels{{l}};
  const auto balanced = [&](std::size_t count) { return count % threads == 0 || count >= 4 * threads; };
  while (!balanced(levels.back().size()) && levels.back().front().rows >= 128) {
    std::vector<Strided<T>> next;
    for (const Strided<T>& node : levels.back()) {
      const std::size_t half = recursion_half(node.rows);
      next.push_back(node.block(0, 0, half, half));
      next.push_back(node.block(half, half, node.rows - half, node.rows - half));
    }
    levels.push_back(std::move(next));
  }
  const std::vector<Strided<T>>& branches = levels.back();
  ThreadPool::shared().run_tasks(threads, branches.size(), [&](std::size_t i) { invert_serially<T>(branches[i]); });
  for (std::size_t depth = levels.size() - 1; depth-- > 0;) {
    for (const Strided<T>& node : levels[depth]) join_inverses<T>(node, threads);
  }
}

}  // namespace

template <class T>
std::size_t solve_triangular(Side side, Triangle triangle, MatrixView<const std::type_identity_t<T>> t, MatrixView<T> b,
                             std::size_t threads) {
  expect_shape("t", t.rows, t.columns, t.rows, t.rows);
  if (side == Side::left) {
    expect_shape("b", b.rows, b.columns, t.rows, b.columns);
  } else {
    expect_shape("b", b.rows, b.columns, b.rows, t.rows);
  }
  Strided<const T> matrix = checked(t, "t");
  Strided<T> unknown = checked_output(b, "b");
  if (const std::size_t index = bad_diagonal<T>(matrix)) return index;
  if (threads == 0) threads = ThreadPool::default_threads();
  // T X = B is X^T T^T = B^T: the left side is the right side of transposed views, and X L^-T is the lower left case.
  if (side == Side::left) unknown = unknown.transposed();
  if (side == Side::right) matrix = matrix.transposed();
  // Reversing the order of the unknowns turns an upper triangle into a lower one.
  const bool lower = (triangle == Triangle::lower) == (side == Side::left);
  if (!lower) {
    matrix = matrix.reversed();
    unknown = unknown.columns_reversed();
  }
  solve_right_transposed<T>(matrix, unknown, threads, unknown.rows == 1);
  return 0;
}

template <class T>
std::size_t invert_triangular(Triangle triangle, MatrixView<T> t, std::size_t threads) {
  expect_shape("t", t.rows, t.columns, t.rows, t.rows);
  Strided<T> matrix = checked_output(t, "t");
  if (const std::size_t index = bad_diagonal<T>(matrix)) return index;
  if (t.rows == 0) return 0;
  if (triangle == Triangle::upper) matrix = matrix.transposed();
  invert<T>(matrix, threads == 0 ? ThreadPool::default_threads() : threads);
  return 0;
}

template std::size_t solve_triangular<float>(Side, Triangle, MatrixView<const float>, MatrixView<float>, std::size_t);
template std::size_t solve_triangular<double>(Side, Triangle, MatrixView<const double>, MatrixView<double>,
                                              std::size_t);
template std::size_t invert_triangular<float>(Triangle, MatrixView<float>, std::size_t);
template std::size_t invert_triangular<double>(Triangle, MatrixView<double>, std::size_t);

}  // namespace dd::linalg
