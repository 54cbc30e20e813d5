// Kernel K1 on blocks: a block takes one column and two steps, which share each load of it.
#pragma once

#include "core/block.hpp"

namespace dd::dmmv {

/// out[q + steps * j] = max_i max(z - upper_i, -z - lower_i), z = residual_i + step_(q, j) * matrix_(i, j), or max |z|
/// where upper is null. Grid: columns x ceil(steps / 2).
template <class T>
struct OneFlipBlock {
  static constexpr BlockShape shape{128};
  static constexpr unsigned warps = 128 / warp_lanes;
  template <class B>
  struct Shared {
    typename B::template Arr<T, 2 * warps> largest;
  };

  const T* matrix;
  const T* residual;
  const T* upper;
  const T* lower;
  const T* steps;
  T* out;
  std::size_t rows;
  std::size_t step_count;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>& s) const {
    const std::size_t column = b.block_x();
    const std::size_t first = std::size_t{b.block_y()} * 2;
    const bool both = first + 1 < step_count;
    const T step0 = steps[first + step_count * column];
    const T step1 = steps[first + (both ? 1 : 0) + step_count * column];
    const auto larger = [](T a, T c) { return a > c ? a : c; };
    typename B::template Priv<T> best0(b), best1(b);
    b.each([&](unsigned t) {
      T largest0 = -static_cast<T>(INFINITY);
      T largest1 = largest0;
      for (std::size_t i = t; i < rows; i += B::threads) {
        const T entry = matrix[i + rows * column];
        const T z0 = residual[i] + step0 * entry;
        const T z1 = residual[i] + step1 * entry;
        const T v0 = upper ? larger(z0 - upper[i], -z0 - lower[i]) : (z0 < 0 ? -z0 : z0);
        const T v1 = upper ? larger(z1 - upper[i], -z1 - lower[i]) : (z1 < 0 ? -z1 : z1);
        largest0 = larger(largest0, v0);
        largest1 = larger(largest1, v1);
      }
      best0[t] = largest0;
      best1[t] = largest1;
    });
    b.warp_reduce(best0, larger);
    b.warp_reduce(best1, larger);
    b.each([&](unsigned t) {
      if (t % warp_lanes != 0) return;
      s.largest[t / warp_lanes] = best0[t];
      s.largest[warps + t / warp_lanes] = best1[t];
    });
    b.each([&](unsigned t) {
      if (t > 1 || (t == 1 && !both)) return;
      T largest = s.largest[t * warps];
      for (unsigned w = 1; w < warps; ++w) {
        const T other = s.largest[t * warps + w];
        largest = larger(largest, other);
      }
      out[first + t + step_count * column] = largest;
    });
  }
};

}  // namespace dd::dmmv

DD_BLOCK_KERNEL(dmmv_one_flip_float32, dd::dmmv::OneFlipBlock<float>)
DD_BLOCK_KERNEL(dmmv_one_flip_float64, dd::dmmv::OneFlipBlock<double>)
