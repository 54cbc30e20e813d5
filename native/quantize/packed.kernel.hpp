// Block kernels of packed weights: a thread is a row, tables of 32 activations are shared by the block.
#pragma once

#include <cstdint>

#include "core/block.hpp"
#include "quantize/codes.kernel.hpp"

namespace dd::quantize {

inline constexpr unsigned packed_block_rows = 128;

/// Where the words of packed weights lie (packed_isa.hpp), block of columns by block of columns.
struct PackedOrder {
  std::size_t rows, padded_rows, row_words;
  const std::uint32_t* before;  // words of a row before each block
  const std::uint32_t* bits;    // of each block
  const std::int32_t* column;   // of each slot, 32 a block; -1 where there is none

  /// Position of plane 0; the next one is 16 words on.
  DD_DEVICE std::size_t word(std::size_t row, std::size_t block) const {
    const std::size_t panel = row / 256, groups = padded_rows / 16 - panel * 16;
    const std::size_t in_panel = (groups < 16 ? groups : 16) * before[block] + row % 256 / 16 * bits[block];
    return (panel * 16 * row_words + in_panel) * 16 + row % 16;
  }
};

/// sums[token * terms + term] = sum of x / divisor over the slots of a term. Grid: terms x tokens.
struct PackedTermSums {
  static constexpr BlockShape shape{warp_lanes};
  template <class B>
  using Shared = NoShared;

  const std::int32_t* column;
  const float* divisor;
  const std::uint32_t* first_slot;
  const std::uint32_t* slots;
  const float* x;
  std::size_t columns, terms;
  float* sums;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    typename B::template Priv<double> sum(b);
    b.each([&](unsigned t) {
      const std::uint32_t first = first_slot[b.block_x()], count = slots[b.block_x()];
      double total = 0;
      for (std::uint32_t k = first + t; k < first + count; k += warp_lanes) {
        if (column[k] >= 0) {
          total += static_cast<double>(x[b.block_y() * columns + static_cast<std::size_t>(column[k])] / divisor[k]);
        }
      }
      sum[t] = total;
    });
    b.warp_reduce(sum, [](double a, double c) { return a + c; });
    b.each([&](unsigned t) {
      if (t == 0) sums[b.block_y() * terms + b.block_x()] = static_cast<float>(sum[t]);
    });
  }
};

/// y[token][row] = range_row (sum_slots (code - middle) x / divisor + sum_terms sum (middle - zero)), zero =
/// round(ratio_row largest). Grid: rows / 128 x tokens.
struct PackedProduct {
  static constexpr BlockShape shape{packed_block_rows};
  template <class B>
  struct Shared {
    typename B::template Arr<float, 32> x;
    typename B::template Arr<float, 128> tables;
  };

  PackedOrder order;
  std::size_t columns, blocks, terms;
  const std::uint32_t* words;
  const float* divisor;
  const float* x;
  const float* term_sums;
  const float* middle;
  const float* largest;
  const float* range;
  const float* ratio;
  float* y;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>& s) const {
    const std::size_t first = std::size_t{b.block_x()} * packed_block_rows;
    typename B::template Priv<float> sum(b);
    b.each([&](unsigned t) { sum[t] = 0; });
    for (std::size_t block = 0; block < blocks; ++block) {
      b.each([&](unsigned t) {
        if (t >= 32) return;
        const std::int32_t column = order.column[block * 32 + t];
        s.x[t] =
            column < 0 ? 0.0f : x[b.block_y() * columns + static_cast<std::size_t>(column)] / divisor[block * 32 + t];
      });
      b.each([&](unsigned t) {
        float entry = 0;
        for (unsigned k = 0; k < 4; ++k) {
          const float value = s.x[t / 16 * 4 + k];
          entry += (t >> k & 1u) != 0 ? 0.5f * value : -0.5f * value;
        }
        s.tables[t] = entry;
      });
      b.each([&](unsigned t) {
        if (first + t >= order.rows) return;
        const std::uint32_t* word = words + order.word(first + t, block);
        float weight = 1, total = 0;
        for (std::uint32_t plane = 0; plane < order.bits[block]; ++plane) {
          const std::uint32_t bits = word[plane * 16];
          float part = 0;
          for (unsigned q = 0; q < 8; ++q) {
            const float entry = s.tables[q * 16 + (bits >> 4 * q & 15u)];
            part += entry;
          }
          total += weight * part;
          weight += weight;
        }
        sum[t] = sum[t] + total;
      });
    }
    b.each([&](unsigned t) {
      const std::size_t row = first + t;
      if (row >= order.rows) return;
      float total = sum[t];
      for (std::size_t term = 0; term < terms; ++term) {
        const float zero = round_to_even(ratio[row] * largest[term]);
        total += term_sums[b.block_y() * terms + term] * (middle[term] - zero);
      }
      y[b.block_y() * order.rows + row] = range[row] * total;
    });
  }
};

/// values[row][column] = range_row / divisor (code - round(ratio_row divisor)), 0 for columns without a slot. Grid:
/// columns / 128 x rows.
struct PackedUnpack {
  static constexpr BlockShape shape{128};
  template <class B>
  using Shared = NoShared;

  PackedOrder order;
  std::size_t columns;
  const std::uint32_t* words;
  const std::int32_t* slot;  // of each column; -1 when it has none
  const float* divisor;
  const float* range;
  const float* ratio;
  float* values;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    b.each([&](unsigned t) {
      const std::size_t column = std::size_t{b.block_x()} * B::threads + t, row = b.block_y();
      if (column >= columns) return;
      float value = 0;
      if (slot[column] >= 0) {
        const auto at = static_cast<std::size_t>(slot[column]);
        const std::uint32_t* word = words + order.word(row, at / 32);
        std::uint32_t code = 0;
        for (std::uint32_t plane = 0; plane < order.bits[at / 32]; ++plane) {
          code |= (word[plane * 16] >> at % 32 & 1u) << plane;
        }
        const float zero = round_to_even(ratio[row] * divisor[at]);
        value = range[row] / divisor[at] * (static_cast<float>(code) - zero);
      }
      values[row * columns + column] = value;
    });
  }
};

}  // namespace dd::quantize

DD_BLOCK_KERNEL(packed_term_sums, dd::quantize::PackedTermSums)
DD_BLOCK_KERNEL(packed_product, dd::quantize::PackedProduct)
DD_BLOCK_KERNEL(packed_unpack, dd::quantize::PackedUnpack)
