// What the plain side of rounding tables asks of the kernel compiled once per ISA level: a panel of 64 columns and at
// most 64 rows, lanes being columns.
#pragma once

#include <cstddef>

#include "core/isa.hpp"

namespace dd::quantize {

inline constexpr std::size_t rounding_panel_columns = 64;
inline constexpr std::size_t rounding_panel_rows = 64;

/// One row's grid for one option; all zeros: the option is the value 0.
struct RoundingGrid {
  float scale, reciprocal, zero;
};

/// sums[k 64 + j] = sum_rows (w - value)^2 in float32, code = clamp(round(w reciprocal) + zero, 0, largest_k).
struct RoundingTableArguments {
  std::size_t rows, options;
  const float* panel;         // rows x 64
  const RoundingGrid* grids;  // rows x options
  const float* largest;       // options
  float* sums;
};

DD_ISA_KERNEL(rounding_table_panel, void(const RoundingTableArguments*));

}  // namespace dd::quantize
