// The reversed Cholesky factorisation and its inverse, turned around while it is rounded to float32.
#include "linalg/inverse_factor.hpp"

#include <algorithm>
#include <atomic>

#include "core/reductions.hpp"
#include "core/thread_pool.hpp"
#include "linalg/cholesky.hpp"
#include "linalg/strided.hpp"
#include "linalg/triangular.hpp"

namespace dd::linalg {
namespace {

constexpr std::size_t tile = 64;

}  // namespace

template <class T>
bool inverse_factor(std::span<const double> matrix, std::size_t n, AlignedBuffer<float>& factor, std::size_t threads) {
  const std::size_t stride = scratch_stride<T>(n), last = n - 1;
  AlignedBuffer<T> lower(stride * n);
  // By columns, as the factorisation wants it: rows of a symmetric matrix are its columns.
  parallel_for(threads, n, tile, [&](std::size_t begin, std::size_t end) {
    for (std::size_t c = begin; c < end; ++c) {
      const double* const from = matrix.data() + (last - c) * n;
      for (std::size_t r = c; r < n; ++r) lower[c * stride + r] = static_cast<T>(from[last - r]);
    }
  });
  const MatrixView<T> view{lower.data(), n, n, 1, stride};
  if (cholesky<T>(view, Triangle::lower, threads) != 0) return false;
  if (invert_triangular<T>(Triangle::lower, view, threads) != 0) return false;
  // U_jk = L^-1 at (last - j, last - k), turned a tile at a time.
  std::atomic<bool> good{true};
  parallel_for(threads, n, tile, [&](std::size_t begin, std::size_t end) {
    alignas(64) float turned[tile][tile];
    for (std::size_t k = begin; k < n; k += tile) {
      const std::size_t width = std::min(tile, n - k);
      for (std::size_t c = 0; c < width; ++c) {
        const T* const from = lower.data() + (last - k - c) * stride;
        for (std::size_t j = begin; j < end; ++j) turned[j - begin][c] = static_cast<float>(from[last - j]);
      }
      for (std::size_t j = begin; j < end; ++j) std::copy_n(turned[j - begin], width, &factor[j * n + k]);
    }
    for (std::size_t j = begin; j < end; ++j) {
      std::fill_n(&factor[j * n], j, 0.0f);
      const std::span<const float> row(&factor[j * n + j], n - j);
      if (!(row[0] > 0) || first_non_finite(row, 1) < row.size()) good = false;
    }
  });
  return good;
}

template bool inverse_factor<float>(std::span<const double>, std::size_t, AlignedBuffer<float>&, std::size_t);
template bool inverse_factor<double>(std::span<const double>, std::size_t, AlignedBuffer<float>&, std::size_t);

}  // namespace dd::linalg
