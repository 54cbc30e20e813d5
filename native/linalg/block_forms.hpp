// Launch sequences of the block kernels: what the plain files are for the CPU. Pointers are device pointers, matrices
// column-major unless strides are given; a status is one int32 on the device, 0 or a 1-based index.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/block_launcher.hpp"
#include "linalg/factors.kernel.hpp"
#include "linalg/products.kernel.hpp"

namespace dd::linalg {

/// C (m x n) = alpha A B + beta C, all column-major and tight.
template <class T>
void launch_gemm(BlockLauncher& launcher, std::size_t m, std::size_t n, std::size_t k, T alpha, const T* a, const T* b,
                 T beta, T* c) {
  const auto rows = static_cast<std::ptrdiff_t>(m);
  launcher.launch(TiledProduct<T, T>{m, n, k, std::max<std::size_t>(4, product_depth_step(k)), a, 1, rows, b, 1,
                                     static_cast<std::ptrdiff_t>(k), alpha, beta, c, 1, rows, false, nullptr},
                  TiledProduct<T, T>::grid(m, n));
}

/// Lower triangle of C (n x n) = alpha A A^T + beta C, A n x k.
template <class T, class Sum>
void launch_syrk(BlockLauncher& launcher, std::size_t n, std::size_t k, Sum alpha, const T* a, std::size_t a_stride,
                 Sum beta, Sum* c, std::size_t c_stride, const std::int32_t* status = nullptr) {
  const auto step = static_cast<std::ptrdiff_t>(a_stride);
  launcher.launch(
      TiledProduct<T, Sum>{n, n, k, std::max<std::size_t>(4, product_depth_step(k, product_depth_of<T, Sum>)), a, 1,
                           step, a, step, 1, alpha, beta, c, 1, static_cast<std::ptrdiff_t>(c_stride), true, status},
      TiledProduct<T, Sum>::grid(n, n));
}

/// X (rows x n) = X L^-T in place. `triangular_rows`: row i of X is zero before column i (a solve with the identity),
/// so only the rows that have begun are touched.
template <class T>
void launch_solve(BlockLauncher& launcher, std::size_t rows, std::size_t n, T* x, std::size_t x_stride, const T* l,
                  std::size_t l_stride, const std::int32_t* status, bool triangular_rows = false) {
  const auto step = static_cast<std::ptrdiff_t>(x_stride);
  for (std::size_t first = 0; first < n; first += factor_columns) {
    const std::size_t width = std::min<std::size_t>(factor_columns, n - first);
    const std::size_t used = triangular_rows ? first + width : rows;
    T* const columns = x + first * x_stride;
    launcher.launch(SolveBlock<T>{columns, 1, step, used, width, l + first + first * l_stride, l_stride, status},
                    {blocks_for(used, SolveBlock<T>::shape.width)});
    const std::size_t rest = n - first - width;
    const T* const below = l + first + width + first * l_stride;
    launcher.launch(
        TiledProduct<T, T>{used, rest, width, width, columns, 1, step, below, static_cast<std::ptrdiff_t>(l_stride), 1,
                           T(-1), T(1), columns + width * x_stride, 1, step, false, status},
        TiledProduct<T, T>::grid(used, rest));
  }
}

/// Lower Cholesky factor in place; right-looking.
template <class T>
void launch_cholesky(BlockLauncher& launcher, std::size_t n, T* a, std::size_t stride, std::int32_t* status) {
  launcher.launch(ClearStatus{status}, {1});
  for (std::size_t first = 0; first < n; first += factor_columns) {
    const std::size_t width = std::min<std::size_t>(factor_columns, n - first);
    T* const diagonal = a + first + first * stride;
    launcher.launch(FactorBlock<T>{diagonal, stride, width, first, status}, {1});
    const std::size_t below = n - first - width;
    if (below == 0) break;
    T* const rows = diagonal + width;
    launcher.launch(SolveBlock<T>{rows, 1, static_cast<std::ptrdiff_t>(stride), below, width, diagonal, stride, status},
                    {blocks_for(below, SolveBlock<T>::shape.width)});
    launch_syrk<T, T>(launcher, below, width, T(-1), rows, stride, T(1), diagonal + width + width * stride, stride,
                      status);
  }
}

/// Lower triangle of l = that of its inverse; untouched when the status becomes non-zero.
template <class T>
void launch_inverse(BlockLauncher& launcher, std::size_t n, T* l, std::size_t stride, std::int32_t* status) {
  launcher.launch(CheckDiagonal<T>{l, stride, n, status}, {1});
  T* const work = launcher.allocate<T>(n * n);
  launcher.launch(SetIdentity<T>{work, n}, {blocks_for(n * n, SetIdentity<T>::shape.width)});
  launch_solve(launcher, n, n, work, n, l, stride, status, true);
  launcher.launch(TakeTransposedTriangle<T>{work, l, stride, n, status}, {blocks_for(n, 32), blocks_for(n, 32)});
}

template <class T>
void launch_batched_cholesky(BlockLauncher& launcher, std::size_t count, std::size_t n, T* a, std::int32_t* status) {
  launcher.launch(BatchedCholesky<T>{a, status, count, n}, {blocks_for(count, BatchedCholesky<T>::shape.width)});
}

}  // namespace dd::linalg
