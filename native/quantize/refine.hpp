// What can still be gained once all columns have codes: descent on single codes and a scale per row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/matrix_view.hpp"
#include "core/run_control.hpp"
#include "quantize/grid.hpp"

namespace dd::quantize {

/// 1/2 tr((W - Q) Hd (W - Q)^T) in float64. Cost: 2 rows columns^2.
double quadratic_loss(MatrixView<const float> w, MatrixView<const float> q, MatrixView<const double> hessian,
                      std::size_t threads);

struct RefineOptions {
  std::size_t sweeps = 3;
  bool refit = true;
  /// E and U of the pass that made the codes (quantize/gptq.hpp), or no data: with them (W - Q) Hd is E U^-T, half the
  /// operations of the product.
  MatrixView<const float> errors = {}, factor = {};
};

/// Changes codes one at a time while that makes the loss smaller, then fits a scale to each row: the row's grid is
/// multiplied by a = (w Hd q) / (q Hd q) where that is in [0.5, 2]. Ranges of groups are fitted one group after the
/// other, each to what the others leave, and stay as they are stored (stored_range). Hd and gradients in float32, sums
/// in float64.
///
/// w, q, codes: rows x columns in the order of `hessian`; `grid.group` and `levels`, too. q and codes and the grid are
/// changed together. Returns the loss, which never grows but by rounding. Rows are independent: same bits for any
/// number of threads. A stop leaves the remaining rows as they were.
/// Cost: 2 rows columns^2 (half with errors and factor) and 2 columns for each code that changes; refitting rows
/// columns^2.
double refine(MatrixView<const float> w, MatrixView<float> q, MatrixView<std::uint8_t> codes,
              std::span<const std::uint32_t> levels, CodedGrid& grid, MatrixView<const double> hessian,
              const RefineOptions& options, RunControl& control);
/// The same for up to 1024 levels.
double refine(MatrixView<const float> w, MatrixView<float> q, MatrixView<std::uint16_t> codes,
              std::span<const std::uint32_t> levels, CodedGrid& grid, MatrixView<const double> hessian,
              const RefineOptions& options, RunControl& control);

/// The codes of values that lie on `grid`, of which row 0 of `values` is row `grid_row`.
void read_codes(MatrixView<const float> values, std::span<const std::uint32_t> levels, const CodedGrid& grid,
                std::size_t grid_row, MatrixView<std::uint16_t> codes, std::size_t threads);

}  // namespace dd::quantize
