// Block kernel of the dense products: 64 x 64 tiles of C, 16 x 16 threads with 4 x 4 elements each, operands staged
// through shared memory 16 values of k at a time. An element is the same chain of multiply-adds in the same blocks of k
// as on the CPU, so a GPU gives the bits of the fused CPU levels.
#pragma once

#include "core/block.hpp"
#include "linalg/blocking.hpp"

namespace dd::linalg {

/// One rounding on every executor (the host's is a library call where the compiler may not assume fma).
template <class T>
DD_DEVICE inline T fused(T a, T b, T c) {
#ifdef __CUDACC__
  return ::fma(a, b, c);
#else
  return std::fma(a, b, c);
#endif
}

inline constexpr unsigned product_tile = 64;
inline constexpr unsigned product_stage = 16;

/// C = alpha A B + beta C over any strides; with `lower` only elements with row >= column. Nothing is done when *status
/// (may be null) is not zero: a factorisation that failed leaves the rest alone.
template <class T, class Sum>
struct TiledProduct {
  static constexpr BlockShape shape{16, 16};
  template <class B>
  struct Shared {
    // One column more than the tile: threads that store a transposed tile do not meet in one bank.
    typename B::template Arr<T, product_stage*(product_tile + 1)> a;
    typename B::template Arr<T, product_stage*(product_tile + 1)> b;
  };
  struct Tile {
    T sum[4][4];
    Sum c[4][4];
  };

  std::size_t m, n, k, depth_step;
  const T* a;
  std::ptrdiff_t a_row, a_column;
  const T* b;
  std::ptrdiff_t b_row, b_column;
  Sum alpha, beta;
  Sum* c;
  std::ptrdiff_t c_row, c_column;
  bool lower;
  const std::int32_t* status;

  static Grid grid(std::size_t rows, std::size_t columns) {
    return {blocks_for(rows, product_tile), blocks_for(columns, product_tile)};
  }

  template <class B>
  DD_DEVICE void operator()(B& block, Shared<B>& s) const {
    const std::size_t row0 = std::size_t{block.block_x()} * product_tile;
    const std::size_t column0 = std::size_t{block.block_y()} * product_tile;
    if (lower && row0 + product_tile <= column0) return;
    if (status != nullptr && *status != 0) return;
    typename B::template Priv<Tile> tile(block);
    block.each([&](unsigned tx, unsigned ty, unsigned t) {
      for (unsigned j = 0; j < 4; ++j) {
        for (unsigned i = 0; i < 4; ++i) {
          tile[t].sum[j][i] = T(0);
          tile[t].c[j][i] = T(0);
          if (beta != Sum(0) && stored(row0 + tx + 16 * i, column0 + ty + 16 * j)) {
            tile[t].c[j][i] = beta * c[at(row0 + tx + 16 * i, c_row, column0 + ty + 16 * j, c_column)];
          }
        }
      }
    });
    for (std::size_t first = 0; first < k; first += depth_step) {
      const std::size_t last = first + depth_step < k ? first + depth_step : k;
      for (std::size_t p0 = first; p0 < last; p0 += product_stage) {
        block.each([&](unsigned t) {
          for (unsigned e = t; e < product_stage * product_tile; e += 256) {
            // Consecutive threads read along the unit stride of each operand.
            const unsigned a_i = a_row == 1 ? e % product_tile : e / product_stage;
            const unsigned a_p = a_row == 1 ? e / product_tile : e % product_stage;
            const unsigned b_j = b_row == 1 ? e / product_stage : e % product_tile;
            const unsigned b_p = b_row == 1 ? e % product_stage : e / product_tile;
            const bool has_a = row0 + a_i < m && p0 + a_p < last;
            const bool has_b = column0 + b_j < n && p0 + b_p < last;
            s.a[a_p * (product_tile + 1) + a_i] = has_a ? a[at(row0 + a_i, a_row, p0 + a_p, a_column)] : T(0);
            s.b[b_p * (product_tile + 1) + b_j] = has_b ? b[at(p0 + b_p, b_row, column0 + b_j, b_column)] : T(0);
          }
        });
        const unsigned depth = last - p0 < product_stage ? static_cast<unsigned>(last - p0) : product_stage;
        block.each([&](unsigned tx, unsigned ty, unsigned t) {
          for (unsigned p = 0; p < depth; ++p) {
            T x[4], y[4];
            for (unsigned i = 0; i < 4; ++i) {
              x[i] = s.a[p * (product_tile + 1) + tx + 16 * i];
              y[i] = s.b[p * (product_tile + 1) + ty + 16 * i];
            }
            for (unsigned j = 0; j < 4; ++j) {
              for (unsigned i = 0; i < 4; ++i) tile[t].sum[j][i] = fused(x[i], y[j], tile[t].sum[j][i]);
            }
          }
        });
      }
      block.each([&](unsigned t) {
        for (unsigned j = 0; j < 4; ++j) {
          for (unsigned i = 0; i < 4; ++i) {
            const Sum sum = static_cast<Sum>(tile[t].sum[j][i]);
            const bool overwrite = first == 0 && beta == Sum(0);
            tile[t].c[j][i] = overwrite ? alpha * sum : fused(alpha, sum, tile[t].c[j][i]);
            tile[t].sum[j][i] = T(0);
          }
        }
      });
    }
    block.each([&](unsigned tx, unsigned ty, unsigned t) {
      for (unsigned j = 0; j < 4; ++j) {
        for (unsigned i = 0; i < 4; ++i) {
          const std::size_t row = row0 + tx + 16 * i, column = column0 + ty + 16 * j;
          if (stored(row, column)) c[at(row, c_row, column, c_column)] = tile[t].c[j][i];
        }
      }
    });
  }

 private:
  DD_DEVICE static std::ptrdiff_t at(std::size_t row, std::ptrdiff_t row_stride, std::size_t column,
                                     std::ptrdiff_t column_stride) {
    return static_cast<std::ptrdiff_t>(row) * row_stride + static_cast<std::ptrdiff_t>(column) * column_stride;
  }
  DD_DEVICE bool stored(std::size_t row, std::size_t column) const {
    return row < m && column < n && (!lower || row >= column);
  }
};

}  // namespace dd::linalg

DD_BLOCK_KERNEL(tiled_product_float32, dd::linalg::TiledProduct<float, float>)
DD_BLOCK_KERNEL(tiled_product_float64, dd::linalg::TiledProduct<double, double>)
DD_BLOCK_KERNEL(tiled_product_float32_float64, dd::linalg::TiledProduct<float, double>)
