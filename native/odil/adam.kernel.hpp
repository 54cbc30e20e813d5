// Block form of the update of Adam.
#pragma once

#include "core/block.hpp"

namespace dd::odil {

/// AdamUpdate, one unknown a thread. Grid: blocks_for(count, 256).
template <class T>
struct AdamBlock {
  static constexpr BlockShape shape{256};
  template <class B>
  using Shared = NoShared;

  const T* gradient;
  T* x;
  T* first_moment;
  T* second_moment;
  std::size_t count;
  T rate, keep1, keep2, epsilon;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    b.each([&](unsigned t) {
      const std::size_t i = std::size_t{b.block_x()} * B::threads + t;
      if (i >= count) return;
      const T g = gradient[i], m = first_moment[i], v = second_moment[i];
      const T first = m + (g - m) * keep1, second = v + (g * g - v) * keep2;
      first_moment[i] = first;
      second_moment[i] = second;
      x[i] = x[i] - rate * first / (std::sqrt(second) + epsilon);
    });
  }
};

}  // namespace dd::odil

DD_BLOCK_KERNEL(adam_float32, dd::odil::AdamBlock<float>)
DD_BLOCK_KERNEL(adam_float64, dd::odil::AdamBlock<double>)
