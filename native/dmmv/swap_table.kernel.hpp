// Kernel K4 on blocks: a block takes one pair of moves.
#pragma once

#include "core/block.hpp"

namespace dd::dmmv {

/// See SwapTable. Grid: seconds x firsts.
struct SwapTableBlock {
  static constexpr BlockShape shape{128};
  static constexpr unsigned warps = 128 / warp_lanes;
  template <class B>
  struct Shared {
    typename B::template Arr<double, warps> partial;
    typename B::template Arr<double, 1> largest;
  };

  const double* moves;
  const std::int32_t* first;
  const std::int32_t* second;
  const double* residual;
  const double* upper;
  const double* lower;
  double* out;
  std::size_t rows;
  std::size_t screen;
  std::size_t stride;
  std::size_t seconds;
  double limit;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>& s) const {
    const double* e = moves + static_cast<std::size_t>(first[b.block_y()]) * stride;
    const double* f = moves + static_cast<std::size_t>(second[b.block_x()]) * stride;
    const auto larger = [](double a, double c) { return a > c ? a : c; };
    typename B::template Priv<double> best(b);
    b.each([&](unsigned t) {
      if (t == 0) s.largest[0] = -static_cast<double>(INFINITY);
    });
    for (int part = 0; part < 2; ++part) {
      const std::size_t begin = part == 0 ? 0 : screen, end = part == 0 ? screen : rows;
      b.each([&](unsigned t) {
        double value = s.largest[0];
        if (part == 0 || value < limit) {
          for (std::size_t i = begin + t; i < end; i += B::threads) {
            const double z = (residual[i] + e[i]) - f[i];
            value = larger(value, upper ? larger(z - upper[i], -z - lower[i]) : (z < 0 ? -z : z));
          }
        }
        best[t] = value;
      });
      b.warp_reduce(best, larger);
      b.each([&](unsigned t) {
        if (t % warp_lanes == 0) s.partial[t / warp_lanes] = best[t];
      });
      b.each([&](unsigned t) {
        if (t != 0) return;
        double value = s.partial[0];
        for (unsigned w = 1; w < warps; ++w) {
          const double other = s.partial[w];
          value = larger(value, other);
        }
        s.largest[0] = value;
      });
    }
    b.each([&](unsigned t) {
      if (t == 0) out[b.block_x() + seconds * b.block_y()] = s.largest[0];
    });
  }
};

}  // namespace dd::dmmv

DD_BLOCK_KERNEL(dmmv_swap_table_float64, dd::dmmv::SwapTableBlock)
