// Descent on codes on blocks: a row a block; its threads judge 128 columns at once and share the update of the
// gradient. The same chain of operations as on the CPU, so a GPU gives the bits of the fused CPU levels.
#pragma once

#include "core/block.hpp"
#include "linalg/products.kernel.hpp"
#include "quantize/codes.kernel.hpp"

namespace dd::quantize {

/// One sweep (quantize/descent.hpp) on grids of scale and zero, or of range and ratio: rows x groups. Grid: rows.
struct DescentBlock {
  static constexpr unsigned width = 128;
  static constexpr BlockShape shape{width, 1};
  template <class B>
  struct Shared {
    typename B::template Arr<float, width> step;
    typename B::template Arr<float, width> value;
    typename B::template Arr<float, width> code;
    typename B::template Arr<unsigned, 1> lane;
  };

  const float* hessian;
  float* gradient;
  float* quantized;
  std::uint8_t* codes;
  std::size_t columns;
  const float* first;
  const float* second;
  std::size_t groups;
  const std::uint32_t* group;
  const std::uint32_t* levels;
  bool ranges;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>& s) const {
    const std::size_t row = b.block_x(), start = row * columns;
    for (std::size_t begin = 0; begin < columns; begin += width) {
      for (unsigned behind = 0;;) {
        b.each([&](unsigned t) { judge(s, t, row, begin + t, t >= behind && begin + t < columns); });
        b.each([&](unsigned t) {
          if (t != 0) return;
          unsigned lane = behind;
          while (lane < width) {
            const float step = s.step[lane];
            if (step != 0) break;
            ++lane;
          }
          s.lane[0] = lane;
        });
        const unsigned lane = b.broadcast(s.lane, 0);
        if (lane >= width) break;
        b.each([&](unsigned t) {
          const float step = s.step[lane];
          const float* const line = hessian + (begin + lane) * columns;
          for (std::size_t k = t; k < columns; k += B::threads) {
            const float rest = gradient[start + k];
            gradient[start + k] = linalg::fused(-step, line[k], rest);
          }
          if (t != lane) return;
          const float value = s.value[lane], code = s.code[lane];
          quantized[start + begin + lane] = value;
          codes[start + begin + lane] = static_cast<std::uint8_t>(static_cast<int>(code));
        });
        behind = lane + 1;
      }
    }
  }

 private:
  /// step: what column j would move by, 0 where that gains nothing.
  template <class S>
  DD_DEVICE void judge(S& s, unsigned t, std::size_t row, std::size_t j, bool wanted) const {
    s.step[t] = 0.0f;
    if (!wanted || levels[j] < 2) return;
    const float largest = static_cast<float>(levels[j] - 1);
    const float curvature = hessian[j * columns + j], slope = gradient[row * columns + j];
    const float current = quantized[row * columns + j];
    float scale = first[row * groups + group[j]], offset = second[row * groups + group[j]];
    if (ranges) {
      scale = divide(scale, largest);
      offset = round_to_code(offset * largest);
    }
    const float target = linalg::fused(slope, divide(1.0f, curvature), current);
    float code = round_to_code(divide(target, scale)) + offset;
    code = code < 0 ? 0.0f : code > largest ? largest : code;
    const float value = scale * (code - offset), step = value - current;
    if (!(step * (step * curvature - (slope + slope)) < 0)) return;
    s.step[t] = step;
    s.value[t] = value;
    s.code[t] = code;
  }
};

}  // namespace dd::quantize

DD_BLOCK_KERNEL(descent_block, dd::quantize::DescentBlock)
