// Block forms of the solves for one row of time.
#pragma once

#include "core/block.hpp"

namespace dd::odil {

/// ChebyshevStart, one point a thread. Grid: blocks_for(count, 256).
template <class T>
struct ChebyshevStartBlock {
  static constexpr BlockShape shape{256};
  template <class B>
  using Shared = NoShared;

  const T* diagonal;
  const T* right_side;
  T* inverse;
  T* x;
  std::size_t count;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    b.each([&](unsigned t) {
      const std::size_t i = std::size_t{b.block_x()} * B::threads + t;
      if (i >= count) return;
      const T own = T(1) / diagonal[i];
      inverse[i] = own;
      x[i] = right_side[i] * own;
    });
  }
};

/// ChebyshevSweep, one point a thread: coefficients of band k lie at coefficients + k count, sources are read at
/// x + offset_k + i, which must be inside for coefficients that are not 0 and harmless for others. Grid:
/// blocks_for(count, 256).
template <class T>
struct ChebyshevSweepBlock {
  static constexpr BlockShape shape{256};
  static constexpr std::size_t bands = 6;
  template <class B>
  using Shared = NoShared;

  const T* coefficients;
  const T* x;
  const T* right_side;
  const T* inverse;
  const T* previous;
  T* out;
  std::size_t count;
  std::ptrdiff_t offset[bands];
  T weight;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    b.each([&](unsigned t) {
      const std::size_t i = std::size_t{b.block_x()} * B::threads + t;
      if (i >= count) return;
      T total = right_side[i];
      for (std::size_t k = 0; k < bands; ++k) {
        total -= coefficients[k * count + i] * x[static_cast<std::ptrdiff_t>(i) + offset[k]];
      }
      out[i] = previous[i] + weight * (total * inverse[i] - previous[i]);
    });
  }
};

/// ThomasSolve for many systems of one size, one system a thread. Grid: blocks_for(systems, 64).
template <class T>
struct ThomasSolveBlock {
  static constexpr BlockShape shape{64};
  template <class B>
  using Shared = NoShared;

  const T* lower;
  const T* inverse_pivot;
  const T* upper;
  const T* right_side;
  T* x;
  std::size_t points, systems;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    b.each([&](unsigned t) {
      const std::size_t s = std::size_t{b.block_x()} * B::threads + t;
      if (s >= systems) return;
      const std::size_t first = s * points;
      T y = T(0);
      for (std::size_t i = first; i < first + points; ++i) {
        y = i == first ? right_side[i] : right_side[i] - lower[i] * y;
        x[i] = y;
      }
      T above = T(0);
      for (std::size_t i = first + points; i-- > first;) {
        above = i + 1 == first + points ? x[i] * inverse_pivot[i] : x[i] * inverse_pivot[i] - upper[i] * above;
        x[i] = above;
      }
    });
  }
};

}  // namespace dd::odil

DD_BLOCK_KERNEL(chebyshev_start_float32, dd::odil::ChebyshevStartBlock<float>)
DD_BLOCK_KERNEL(chebyshev_start_float64, dd::odil::ChebyshevStartBlock<double>)
DD_BLOCK_KERNEL(chebyshev_sweep_float32, dd::odil::ChebyshevSweepBlock<float>)
DD_BLOCK_KERNEL(chebyshev_sweep_float64, dd::odil::ChebyshevSweepBlock<double>)
DD_BLOCK_KERNEL(thomas_solve_float32, dd::odil::ThomasSolveBlock<float>)
DD_BLOCK_KERNEL(thomas_solve_float64, dd::odil::ThomasSolveBlock<double>)
