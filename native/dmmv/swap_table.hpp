// Kernel K4 of specs/dmmv.md: the largest violation after two moves at once, for every pair of moves.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/isa.hpp"

namespace dd::dmmv {

/// z_i = (r_i + e_i) - f_i with e = column first[a] and f = column second[b] of `moves` (leading dimension `stride`):
///   out[b + seconds a] = max_{i < screen} max(z_i - upper_i, -z_i - lower_i), and where that is below `limit` the same
/// over all rows. upper == nullptr means all offsets zero: max |z_i|. A value that is not below `limit` is a lower
/// bound of the violation, one below it the violation itself. No fused multiply-add, and a maximum has no order: every
/// level and back end gives the same bits. screen <= rows; no row at all gives -infinity.
struct SwapTable {
  const double* moves;
  const std::int32_t* first;
  const std::int32_t* second;
  const double* residual;
  const double* upper;  ///< offsets, +infinity where the side does not exist
  const double* lower;
  double* out;
  std::size_t rows;
  std::size_t screen;
  std::size_t stride;
  std::size_t firsts;
  std::size_t seconds;
  double limit;
};

DD_ISA_KERNEL(swap_table_float64, void(const SwapTable*));

}  // namespace dd::dmmv
