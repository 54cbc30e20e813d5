// Kernel K2 of specs/dmmv.md: the search penalty after every move of a dictionary and after its reverse.
#pragma once

#include <cstddef>

#include "core/isa.hpp"

namespace dd::dmmv {

/// With g = column p of `moves` (leading dimension `stride`) and z = r + g, respectively z = r - g:
///   out[2 p], out[2 p + 1] = sum_i weight_i max(0, z_i - upper_i, lower_i - z_i),   p < pairs
/// upper == nullptr: sum_i weight_i max(0, |z_i| - target).
/// One load of g serves the move and its reverse. The order of the sum is fixed: lane l of 64 bytes takes rows i with
/// i mod (lanes) = l in order, then lanes are added in a tree, upper half onto lower half. No fused multiply-add.
template <class Real>
struct DictionaryPenalty {
  const Real* moves;
  const Real* residual;
  const Real* weight;
  const Real* upper;  ///< thresholds on r, null for plain rows
  const Real* lower;
  Real* out;
  std::size_t rows;
  std::size_t stride;
  std::size_t pairs;
  Real target;
};

DD_ISA_KERNEL(dictionary_penalty_float64, void(const DictionaryPenalty<double>*));
DD_ISA_KERNEL(dictionary_penalty_float32, void(const DictionaryPenalty<float>*));

}  // namespace dd::dmmv
