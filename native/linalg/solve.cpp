// Recursion over the triangle: general products off the diagonal, the in-register kernel on the leaves.
#include "linalg/solve.hpp"

#include <algorithm>
#include <array>

#include "core/thread_pool.hpp"
#include "linalg/blocking.hpp"
#include "linalg/product.hpp"
#include "linalg/workspace.hpp"

namespace dd::linalg {
namespace {

constexpr std::size_t multiply_leaf = 48;
constexpr std::size_t strip_rows = 96;
constexpr double task_flops = 2e6;

template <class T>
void call_solve(std::size_t rows, std::size_t columns, T* x, std::ptrdiff_t x_stride, const T* l,
                std::ptrdiff_t l_stride, const T* reciprocal) {
  const SolveArguments<T> arguments{rows, columns, x, x_stride, l, l_stride, reciprocal};
  Kernels<T>::solve(&arguments);
}

template <class T>
void solve_leaf(Strided<const T> l, Strided<T> x) {
  const std::size_t n = l.rows;
  std::array<T, panel_columns> reciprocal;
  for (std::size_t j = 0; j < n; ++j) reciprocal[j] = T(1) / l(j, j);
  const T* triangle = l.data;
  std::ptrdiff_t triangle_stride = l.column_stride;
  if (l.row_stride != 1) {
    const std::size_t stride = scratch_stride<T>(n);
    T* copied = scratch<T>(Scratch::triangle, stride * n);
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t i = j; i < n; ++i) copied[i + j * stride] = l(i, j);
    }
    triangle = copied;
    triangle_stride = static_cast<std::ptrdiff_t>(stride);
  }
  if (x.row_stride == 1) {
    call_solve(x.rows, n, x.data, x.column_stride, triangle, triangle_stride, reciprocal.data());
    return;
  }
  const std::size_t stride = scratch_stride<T>(strip_rows);
  T* buffer = scratch<T>(Scratch::strip, stride * n);
  for (std::size_t first = 0; first < x.rows; first += strip_rows) {
    const std::size_t rows = std::min(strip_rows, x.rows - first);
    const Strided<T> strip = column_major(buffer, rows, n, stride);
    copy<T>(x.block(first, 0, rows, n), strip);
    call_solve(rows, n, buffer, static_cast<std::ptrdiff_t>(stride), triangle, triangle_stride, reciprocal.data());
    copy<T>(strip, x.block(first, 0, rows, n));
  }
}

template <class T>
void solve_recursively(Strided<const T> l, Strided<T> x, const ProductOptions& options) {
  const std::size_t n = l.rows;
  if (n <= panel_columns) return solve_leaf(l, x);
  const std::size_t half = recursion_half(n);
  const Strided<T> first = x.block(0, 0, x.rows, half);
  const Strided<T> second = x.block(0, half, x.rows, n - half);
  solve_recursively<T>(l.block(0, 0, half, half), first, options);
  multiply<T, T>(T(-1), first, l.block(half, 0, n - half, half).transposed(), T(1), second, options);
  solve_recursively<T>(l.block(half, half, n - half, n - half), second, options);
}

}  // namespace

template <class T>
void solve_right_transposed(Strided<const T> l, Strided<T> x, std::size_t threads, bool dots) {
  if (x.rows == 0 || l.rows == 0) return;
  const double n = static_cast<double>(l.rows);
  const double flops = n * n * static_cast<double>(x.rows);
  ProductOptions options;
  options.dots = dots;
  std::size_t tasks = 1;
  if (threads > 1 && flops > 2 * task_flops)
    tasks = std::min(threads * 3, static_cast<std::size_t>(flops / task_flops));
  const std::size_t grain = ((x.rows + tasks - 1) / tasks + 47) / 48 * 48;
  parallel_for(threads, x.rows, grain, [&](std::size_t begin, std::size_t end) {
    solve_recursively<T>(l, x.block(begin, 0, end - begin, x.columns), options);
  });
}

template <class T>
void multiply_triangular_right(T alpha, Strided<T> b, Strided<const T> t) {
  const std::size_t n = t.rows, m = b.rows;
  if (n == 0 || m == 0) return;
  if (n <= multiply_leaf) {
    const std::size_t t_stride = scratch_stride<T>(n), b_stride = scratch_stride<T>(m);
    const Strided<T> full = column_major(scratch<T>(Scratch::multiply_right, t_stride * n), n, n, t_stride);
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t i = 0; i < n; ++i) full(i, j) = i < j ? T(0) : t(i, j);
    }
    const Strided<T> copied = column_major(scratch<T>(Scratch::multiply_left, b_stride * n), m, n, b_stride);
    copy<T>(b, copied);
    multiply<T, T>(alpha, copied, full, T(0), b);
    return;
  }
  const std::size_t half = recursion_half(n);
  const Strided<T> first = b.block(0, 0, m, half), second = b.block(0, half, m, n - half);
  multiply_triangular_right<T>(alpha, first, t.block(0, 0, half, half));
  multiply<T, T>(alpha, second, t.block(half, 0, n - half, half), T(1), first);
  multiply_triangular_right<T>(alpha, second, t.block(half, half, n - half, n - half));
}

template <class T>
void multiply_triangular_left(T alpha, Strided<const T> t, Strided<T> b) {
  const std::size_t n = t.rows, m = b.columns;
  if (n == 0 || m == 0) return;
  if (n <= multiply_leaf) {
    const std::size_t stride = scratch_stride<T>(n);
    const Strided<T> full = column_major(scratch<T>(Scratch::multiply_left, stride * n), n, n, stride);
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t i = 0; i < n; ++i) full(i, j) = i < j ? T(0) : t(i, j);
    }
    const Strided<T> copied = column_major(scratch<T>(Scratch::multiply_right, stride * m), n, m, stride);
    copy<T>(b, copied);
    multiply<T, T>(alpha, full, copied, T(0), b);
    return;
  }
  const std::size_t half = recursion_half(n);
  const Strided<T> first = b.block(0, 0, half, m), second = b.block(half, 0, n - half, m);
  multiply_triangular_left<T>(alpha, t.block(half, half, n - half, n - half), second);
  multiply<T, T>(alpha, t.block(half, 0, n - half, half), first, T(1), second);
  multiply_triangular_left<T>(alpha, t.block(0, 0, half, half), first);
}

template void solve_right_transposed<float>(Strided<const float>, Strided<float>, std::size_t, bool);
template void solve_right_transposed<double>(Strided<const double>, Strided<double>, std::size_t, bool);
template void multiply_triangular_right<float>(float, Strided<float>, Strided<const float>);
template void multiply_triangular_right<double>(double, Strided<double>, Strided<const double>);
template void multiply_triangular_left<float>(float, Strided<const float>, Strided<float>);
template void multiply_triangular_left<double>(double, Strided<const double>, Strided<double>);

}  // namespace dd::linalg
