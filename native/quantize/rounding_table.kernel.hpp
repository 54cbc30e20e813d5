// Rounding tables on blocks: 32 columns and one option a block, rows dealt to its eight lines of threads.
#pragma once

#include "core/block.hpp"
#include "quantize/codes.kernel.hpp"

namespace dd::quantize {

inline constexpr unsigned rounding_tile_columns = 32;

/// table[j options + k] = sum_i (w_ij - value)^2 (quantize/rounding_table.hpp). w: rows x columns, row-major.
/// Grid: ceil(columns / 32) x options.
struct RoundingTableBlock {
  static constexpr BlockShape shape{rounding_tile_columns, 8};
  template <class B>
  struct Shared {
    typename B::template Arr<double, rounding_tile_columns * 8> sums;
  };

  const float* w;
  const float* range;
  const float* ratio;
  const std::uint32_t* levels;
  double* table;
  std::size_t rows, columns, options;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>& s) const {
    const std::size_t first = std::size_t{b.block_x()} * rounding_tile_columns;
    const std::size_t option = b.block_y();
    const float largest = static_cast<float>(levels[option] - 1);
    b.each([&](unsigned x, unsigned y, unsigned t) {
      double sum = 0;
      for (std::size_t i = y; i < rows && first + x < columns; i += B::height) {
        const float weight = w[i * columns + first + x];
        float value = 0;
        if (largest > 0) {
          const float scale = range[i] / largest;
          const float zero = round_to_even(ratio[i] * largest);
          float code = round_to_even(weight * (1.0f / scale)) + zero;
          code = code < 0 ? 0.0f : code > largest ? largest : code;
          value = scale * (code - zero);
        }
        const float error = weight - value;
        sum += static_cast<double>(error) * static_cast<double>(error);
      }
      s.sums[t] = sum;
    });
    b.each([&](unsigned x, unsigned y, unsigned) {
      if (y != 0 || first + x >= columns) return;
      double sum = 0;
      for (unsigned line = 0; line < B::height; ++line) sum += s.sums[line * rounding_tile_columns + x];
      table[(first + x) * options + option] = sum;
    });
  }
};

}  // namespace dd::quantize

DD_BLOCK_KERNEL(quantize_rounding_table, dd::quantize::RoundingTableBlock)
