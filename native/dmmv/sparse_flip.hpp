// Kernel K5 of specs/dmmv.md: what single changes of sparse columns do to the search penalty, at the cost of the
// entries of these columns.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/isa.hpp"

namespace dd::dmmv {

/// With e_i(z) = max(0, z - upper_i, lower_i - z) and the entries (i, a) of column columns[c]:
///   out[c] = sum weight_i (e_i(residual_i + steps[c] a) - e_i(residual_i)),   c < count
/// The order of the sum is fixed: lane l of 8 takes entries k with k mod 8 = l, then lanes are added in a tree, upper
/// half onto lower half. Nothing is fused, so every ISA level gives the same bits.
struct SparseFlip {
  const std::int32_t* pointers;  ///< of each column of the matrix, and one more
  const std::int32_t* rows;
  const double* values;
  const double* residual;
  const double* weight;
  const double* upper;
  const double* lower;
  const std::int32_t* columns;
  const double* steps;
  double* out;
  std::size_t count;
};

DD_ISA_KERNEL(sparse_flip_float64, void(const SparseFlip*));

}  // namespace dd::dmmv
