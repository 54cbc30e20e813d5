// Kernel K5 on blocks: one warp's worth of threads for each change.
#pragma once

#include <cstdint>

#include "core/block.hpp"

namespace dd::dmmv {

/// out as in sparse_flip.hpp. Grid: one block for each change.
struct SparseFlipBlock {
  static constexpr BlockShape shape{32};
  template <class B>
  struct Shared {};

  const std::int32_t* pointers;
  const std::int32_t* rows;
  const double* values;
  const double* residual;
  const double* weight;
  const double* upper;
  const double* lower;
  const std::int32_t* columns;
  const double* steps;
  double* out;

  DD_DEVICE static double excess(double z, double upper, double lower) {
    const double above = z - upper;
    const double below = lower - z;
    const double most = above > below ? above : below;
    return most > 0 ? most : 0.0;
  }

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    const std::size_t change = b.block_x();
    const auto begin = static_cast<std::size_t>(pointers[columns[change]]);
    const auto end = static_cast<std::size_t>(pointers[columns[change] + 1]);
    const double step = steps[change];
    typename B::template Priv<double> sum(b);
    b.each([&](unsigned t) {
      double own = 0;
      for (std::size_t k = begin + t; k < end; k += B::threads) {
        const std::int32_t i = rows[k];
        const double z = residual[i];
        const double before = excess(z, upper[i], lower[i]);
        const double after = excess(z + step * values[k], upper[i], lower[i]);
        own += weight[i] * (after - before);
      }
      sum[t] = own;
    });
    b.warp_reduce(sum, [](double a, double c) { return a + c; });
    b.each([&](unsigned t) {
      if (t == 0) out[change] = sum[t];
    });
  }
};

}  // namespace dd::dmmv

DD_BLOCK_KERNEL(dmmv_sparse_flip_float64, dd::dmmv::SparseFlipBlock)
