// Range candidates on blocks: a row a block, columns dealt to its threads, one candidate after the other.
#pragma once

#include "core/block.hpp"
#include "quantize/codes.kernel.hpp"

namespace dd::quantize {

/// losses[i candidates + c] (quantize/range_candidates.hpp). Grid: rows.
struct RangeCandidatesBlock {
  static constexpr unsigned width = 128;
  static constexpr BlockShape shape{width, 1};
  template <class B>
  struct Shared {
    typename B::template Arr<float, width> sums;
  };

  const float* w;
  const float* range;
  const float* ratio;
  const std::uint32_t* levels;
  const float* importance;
  const float* factors;
  float* losses;
  std::size_t columns, candidates;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>& s) const {
    const std::size_t i = b.block_x();
    for (std::size_t c = 0; c < candidates; ++c) {
      const float whole = range[i] * factors[c];
      b.each([&](unsigned t) {
        float sum = 0;
        for (std::size_t j = t; j < columns; j += B::threads) {
          const float largest = static_cast<float>(levels[j] - 1), weight = w[i * columns + j];
          float value = 0;
          if (largest > 0) {
            const float scale = whole * (1.0f / largest), zero = round_to_even(ratio[i] * largest);
            float step = round_to_even(weight * ((1.0f / whole) * largest));
            step = step < -zero ? -zero : step > largest - zero ? largest - zero : step;
            value = scale * step;
          }
          const float error = weight - value;
          sum += error * error * importance[j];
        }
        s.sums[t] = sum;
      });
      b.each([&](unsigned t) {
        if (t != 0) return;
        float sum = 0;
        for (unsigned k = 0; k < B::threads; ++k) sum += s.sums[k];
        losses[i * candidates + c] = sum;
      });
    }
  }
};

}  // namespace dd::quantize

DD_BLOCK_KERNEL(quantize_range_candidates, dd::quantize::RangeCandidatesBlock)
