// Block kernel of GPTQ's in-block phase: 32 rows and one block of up to 128 columns in shared memory. The update of the
// columns behind is a tiled product. An element is the same chain of operations as on the CPU, so a GPU gives the bits
// of the fused CPU levels.
#pragma once

#include "core/block.hpp"
#include "linalg/products.kernel.hpp"
#include "quantize/codes.kernel.hpp"

namespace dd::quantize {

inline constexpr unsigned gptq_tile_columns = 128;
inline constexpr unsigned gptq_tile_rows = 32;

/// Columns [0, columns) of W (row-major, rows `stride` apart) become Q; E and codes likewise. u is the diagonal block.
/// Grids: scale and zero are rows x groups; with `ranges` they hold range and ratio (quantize/gptq.hpp).
struct GptqBlock {
  static constexpr BlockShape shape{gptq_tile_rows, 8};
  // Rows of the tile one element longer than a warp: threads of one row do not meet in one bank.
  static constexpr unsigned step = gptq_tile_rows + 1;
  template <class B>
  struct Shared {
    typename B::template Arr<float, gptq_tile_columns * step> w;
    typename B::template Arr<float, gptq_tile_rows> error;
  };

  float* w;
  float* errors;
  std::uint8_t* codes;
  std::size_t rows, columns, stride;
  const float* u;
  std::size_t u_stride;
  const float* scale;
  const float* zero;
  std::size_t groups;
  const std::uint32_t* group;
  const std::uint32_t* levels;
  bool ranges;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>& s) const {
    const std::size_t row0 = std::size_t{b.block_x()} * gptq_tile_rows;
    b.each([&](unsigned t) {
      for (unsigned e = t; e < gptq_tile_rows * columns; e += B::threads) {
        const unsigned i = e / static_cast<unsigned>(columns), j = e % static_cast<unsigned>(columns);
        s.w[j * step + i] = row0 + i < rows ? w[(row0 + i) * stride + j] : 0.0f;
      }
    });
    for (unsigned j = 0; j < columns; ++j) {
      b.each([&](unsigned i, unsigned y, unsigned) {
        if (y != 0 || row0 + i >= rows) return;
        const float weight = s.w[j * step + i];
        const std::size_t grid = (row0 + i) * groups + group[j];
        const float largest = static_cast<float>(levels[j] - 1);
        float size = scale[grid], offset = zero[grid];
        if (ranges) {
          size = divide(size, largest > 1 ? largest : 1.0f);
          offset = round_to_code(offset * largest);
        }
        float code = round_to_code(divide(weight, size)) + offset;
        code = code < 0 ? 0.0f : code > largest ? largest : code;
        const float value = size * (code - offset);
        const float error = divide(weight - value, u[j * u_stride + j]);
        s.w[j * step + i] = value;
        s.error[i] = error;
        codes[(row0 + i) * stride + j] = static_cast<std::uint8_t>(code);
        errors[(row0 + i) * stride + j] = error;
      });
      b.each([&](unsigned i, unsigned y, unsigned) {
        if (row0 + i >= rows) return;
        const float error = s.error[i];
        for (unsigned k = j + 1 + y; k < columns; k += B::height) {
          const float weight = s.w[k * step + i];
          s.w[k * step + i] = linalg::fused(-error, u[j * u_stride + k], weight);
        }
      });
    }
    b.each([&](unsigned t) {
      for (unsigned e = t; e < gptq_tile_rows * columns; e += B::threads) {
        const unsigned i = e / static_cast<unsigned>(columns), j = e % static_cast<unsigned>(columns);
        if (row0 + i < rows) w[(row0 + i) * stride + j] = s.w[j * step + i];
      }
    });
  }
};

}  // namespace dd::quantize

DD_BLOCK_KERNEL(gptq_block, dd::quantize::GptqBlock)
