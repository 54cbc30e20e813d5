// What the plain side of descent on codes asks of the kernel compiled once per ISA level: one sweep over a few rows,
// lanes being columns.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/isa.hpp"

namespace dd::quantize {

/// Columns of the arrays that hold something for each column, rounded up to this with columns of one level.
inline constexpr std::size_t descent_lanes = 16;

enum class DescentGrid : std::uint8_t { range_and_ratio, scale_and_zero, low_and_high };

struct DescentArguments {
  std::size_t rows, columns;
  const float* hessian;  // columns x columns
  float* gradient;       // rows x columns
  float* quantized;      // rows x columns
  std::uint8_t* codes;   // rows x columns
  // Each column: H_jj, 1 / H_jj, levels - 1, max(levels - 1, 1).
  const float* curvature;
  const float* inverse;
  const float* largest;
  const float* divisor;
  DescentGrid grid;
  const float* first;  // of row i: first[i grid_stride], the same for all columns, or padded columns of them
  const float* second;
  std::size_t grid_stride;
  bool grid_per_column;
};

/// Returns how many codes changed.
DD_ISA_KERNEL(descent_sweep, std::size_t(const DescentArguments*));

}  // namespace dd::quantize
