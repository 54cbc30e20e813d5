// The sum of powers and the largest residual after a move, on blocks: one block for each pair of moves, both signs.
#pragma once

#include "core/block.hpp"

namespace dd::dmmv {

/// result[2 p + k], k = 0 for the move and 1 for its reverse: largest[...] and sums[...] as in power_sum.hpp.
struct PowerSumBlock {
  static constexpr BlockShape shape{128};
  static constexpr unsigned warps = 128 / warp_lanes;
  template <class B>
  struct Shared {
    typename B::template Arr<float, 4 * warps> parts;
  };

  const float* residual;
  const float* moves;
  float* largest;
  float* sums;
  std::size_t rows;
  float scale;
  float floor;
  unsigned doublings;

  DD_DEVICE float power(float v) const {
    float value = v * scale;
    value = value < 3.0f ? value : 3.0f;
    value = value > floor ? value : floor;
    for (unsigned q = 0; q < doublings; ++q) value *= value;
    return value;
  }

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>& s) const {
    const std::size_t pair = b.block_x();
    const auto larger = [](float a, float c) { return a > c ? a : c; };
    const auto add = [](float a, float c) { return a + c; };
    typename B::template Priv<float> top_up(b), top_down(b), up(b), down(b);
    b.each([&](unsigned t) {
      float largest_up = 0, largest_down = 0, sum_up = 0, sum_down = 0;
      for (std::size_t i = t; i < rows; i += B::threads) {
        const float r = residual[i];
        const float g = moves[i + rows * pair];
        const float plus = r + g;
        const float minus = r - g;
        const float v_up = plus < 0 ? -plus : plus;
        const float v_down = minus < 0 ? -minus : minus;
        largest_up = v_up > largest_up ? v_up : largest_up;
        largest_down = v_down > largest_down ? v_down : largest_down;
        sum_up += power(v_up);
        sum_down += power(v_down);
      }
      top_up[t] = largest_up;
      top_down[t] = largest_down;
      up[t] = sum_up;
      down[t] = sum_down;
    });
    b.warp_reduce(top_up, larger);
    b.warp_reduce(top_down, larger);
    b.warp_reduce(up, add);
    b.warp_reduce(down, add);
    b.each([&](unsigned t) {
      if (t % warp_lanes != 0) return;
      const unsigned w = t / warp_lanes;
      s.parts[w] = top_up[t];
      s.parts[warps + w] = top_down[t];
      s.parts[2 * warps + w] = up[t];
      s.parts[3 * warps + w] = down[t];
    });
    b.each([&](unsigned t) {
      if (t > 1) return;
      float top = s.parts[t * warps];
      float sum = s.parts[(2 + t) * warps];
      for (unsigned w = 1; w < warps; ++w) {
        const float other = s.parts[t * warps + w];
        const float more = s.parts[(2 + t) * warps + w];
        top = other > top ? other : top;
        sum += more;
      }
      largest[2 * pair + t] = top;
      sums[2 * pair + t] = sum;
    });
  }
};

}  // namespace dd::dmmv

DD_BLOCK_KERNEL(dmmv_power_sum_float32, dd::dmmv::PowerSumBlock)
