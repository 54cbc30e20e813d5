// Kernel K1 of specs/dmmv.md: the largest violation of a column's rows after moving along the column by given steps.
#pragma once

#include <cstddef>

#include "core/isa.hpp"

namespace dd::dmmv {

/// out[q] = max_i max(r_i + d_q a_i - upper_i, -(r_i + d_q a_i) - lower_i), i < rows, q < steps.
/// upper == nullptr means all offsets zero: out[q] = max_i |r_i + d_q a_i|. No fused multiply-add: the product is
/// rounded, then the sum, so every level and back end gives the same bits. rows = 0 gives -infinity.
template <class Real>
struct OneFlipColumn {
  const Real* column;
  const Real* residual;
  const Real* upper;  ///< offsets, +infinity where the side does not exist
  const Real* lower;
  const Real* steps;
  Real* out;
  std::size_t rows;
  std::size_t step_count;
};

DD_ISA_KERNEL(one_flip_float64, void(const OneFlipColumn<double>*));
DD_ISA_KERNEL(one_flip_float32, void(const OneFlipColumn<float>*));

}  // namespace dd::dmmv
