// Block form of grid transfers: one axis a launch, one output a thread.
#pragma once

#include "core/block.hpp"
#include "linalg/axis_transfer_isa.hpp"

namespace dd::linalg {

/// out[o][i][r] (+)= scale (w1 in[o][first][r] + w2 in[o][second][r]); r < run, i < fine. Grid: blocks_for(count, 256).
template <class T>
struct WidenAxis {
  static constexpr BlockShape shape{256};
  template <class B>
  using Shared = NoShared;

  const AxisEntry* entries;
  const T* in;
  T* out;
  std::size_t count, fine, coarse, run;
  T scale;
  bool add;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    b.each([&](unsigned t) {
      const std::size_t e = std::size_t{b.block_x()} * B::threads + t;
      if (e >= count) return;
      const std::size_t r = e % run, i = e / run % fine, outer = e / run / fine;
      const AxisEntry entry = entries[i];
      const T* const from = in + outer * coarse * run + r;
      T value = static_cast<T>(entry.first_weight) * from[entry.first * run];
      if (entry.second_weight != 0) value = value + static_cast<T>(entry.second_weight) * from[entry.second * run];
      const T old = add ? out[e] : T(0);
      out[e] = old + scale * value;
    });
  }
};

/// out[o][j][r] (+)= scale times the sum over the fine points i that coarse point j gives to, of weight in[o][i][r].
template <class T>
struct NarrowAxis {
  static constexpr BlockShape shape{256};
  template <class B>
  using Shared = NoShared;

  const std::uint32_t* begin;
  const std::uint32_t* sources;
  const double* weights;
  const T* in;
  T* out;
  std::size_t count, fine, coarse, run;
  T scale;
  bool add;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    b.each([&](unsigned t) {
      const std::size_t e = std::size_t{b.block_x()} * B::threads + t;
      if (e >= count) return;
      const std::size_t r = e % run, j = e / run % coarse, outer = e / run / coarse;
      const T* const from = in + outer * fine * run + r;
      T value = T(0);
      for (std::uint32_t k = begin[j]; k < begin[j + 1]; ++k) {
        value = value + static_cast<T>(weights[k]) * from[sources[k] * run];
      }
      const T old = add ? out[e] : T(0);
      out[e] = old + scale * value;
    });
  }
};

}  // namespace dd::linalg

DD_BLOCK_KERNEL(widen_axis_float32, dd::linalg::WidenAxis<float>)
DD_BLOCK_KERNEL(widen_axis_float64, dd::linalg::WidenAxis<double>)
DD_BLOCK_KERNEL(narrow_axis_float32, dd::linalg::NarrowAxis<float>)
DD_BLOCK_KERNEL(narrow_axis_float64, dd::linalg::NarrowAxis<double>)
