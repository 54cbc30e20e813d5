// The form that all kernels work on: r = W (A x - c), v_i = max(r_i - upper_i, -r_i - lower_i), with the weights
// absorbed and rows centred, so that plain equality rows are |r_i| and need no offsets at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dmmv/problem.hpp"

namespace dd::dmmv {

struct RowOffsets {
  std::vector<double> centre;  ///< c, in the unit of the activities
  std::vector<double> upper;   ///< half width times weight, or +infinity where the row has no upper side
  std::vector<double> lower;
  bool pure = true;  ///< all offsets are zero: v = |r|
};

/// Offsets of the hard rows.
RowOffsets row_offsets(const Problem& problem);
/// Offsets of any rows: lower, upper, weights of equal length.
RowOffsets row_offsets(std::span<const double> lower, std::span<const double> upper, std::span<const double> weights);

/// s = A x for level indices, columns in order, products rounded.
std::vector<double> activities(const Matrix& matrix, const LevelSets& levels, std::span<const std::int32_t> indices);

}  // namespace dd::dmmv
