// Layers of candidates on blocks, sums in the order of the CPU.
#pragma once

#include "core/block.hpp"

namespace dd::polystep {

/// As SparseRows, a thread a direction and column. Grid: directions x columns over the width.
template <class T>
struct SparseRowsBlock {
  static constexpr BlockShape shape{128};
  template <class B>
  using Shared = NoShared;

  std::size_t directions;
  std::size_t rows;
  std::size_t columns;
  const std::uint32_t* starts;
  const std::uint32_t* entry_rows;
  const std::uint32_t* entry_columns;
  const T* values;
  const T* inputs;
  T* out;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    const std::size_t first = std::size_t{b.block_x()} * B::threads;
    b.each([&](unsigned t) {
      const std::size_t i = first + t;
      if (i >= directions * columns) return;
      const std::size_t j = i / columns, c = i % columns;
      T* const to = out + j * rows * columns + c;
      for (std::size_t r = 0; r < rows; ++r) to[r * columns] = T(0);
      for (std::size_t e = starts[j]; e < starts[j + 1]; ++e) {
        to[entry_rows[e] * columns] += values[e] * inputs[entry_columns[e] * columns + c];
      }
    });
  }
};

/// As ProductRows with the candidates' matrices end to end. A block does 16 columns of one candidate: first the thin
/// product with the inputs, 16 ranks at a time, then the rows. Grid: columns / 16 times candidates.
template <class T>
struct ProductRowsBlock {
  static constexpr BlockShape shape{16, 16};
  template <class B>
  struct Shared {
    typename B::template Arr<T, 256> u;
  };

  std::size_t candidates;
  std::size_t rows;
  std::size_t columns;
  std::size_t terms;
  std::size_t rank;
  const T* factors;
  const T* left;
  const T* right;
  const T* inputs;
  const T* start;
  T* out;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>& s) const {
    const std::size_t n = b.block_x() / (columns / 16), column = b.block_x() % (columns / 16) * 16;
    const T* const a = left + n * rows * rank;
    const T* const own = right + n * terms * rank;
    T* const to = out + n * rows * columns + column;
    for (std::size_t first = 0; first < rank || first == 0; first += 16) {
      b.each([&](unsigned c, unsigned k, unsigned t) {
        T sum = 0;
        if (first + k < rank) {
          for (std::size_t i = 0; i < terms; ++i) sum += own[i * rank + first + k] * inputs[i * columns + column + c];
        }
        s.u[t] = sum;
      });
      b.each([&](unsigned c, unsigned y, unsigned) {
        for (std::size_t r = y; r < rows; r += 16) {
          T sum = first == 0 ? start[r * columns + column + c] : to[r * columns + c];
          for (std::size_t k = 0; k < 16 && first + k < rank; ++k) {
            const T thin = s.u[k * 16 + c];
            sum += factors[n] * a[r * rank + first + k] * thin;
          }
          to[r * columns + c] = sum;
        }
      });
    }
  }
};

}  // namespace dd::polystep

DD_BLOCK_KERNEL(sparse_rows_float32, dd::polystep::SparseRowsBlock<float>)
DD_BLOCK_KERNEL(sparse_rows_float64, dd::polystep::SparseRowsBlock<double>)
DD_BLOCK_KERNEL(product_rows_float32, dd::polystep::ProductRowsBlock<float>)
DD_BLOCK_KERNEL(product_rows_float64, dd::polystep::ProductRowsBlock<double>)
