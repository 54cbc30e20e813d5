// Descent on single codes: what GPTQ's greedy order left can still be gained by changing one code at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/matrix_view.hpp"
#include "core/run_control.hpp"
#include "quantize/grid.hpp"

namespace dd::quantize {

/// `sweeps` times for j = 0, 1, ... in every row: the code nearest to q_j + G_j / H_jj takes the place of q_j where
/// that makes 1/2 (w - q) H (w - q)^T smaller, and G -= (new - old) H_j:. A row ends early when a sweep changes
/// nothing.
///
/// hessian: columns x columns, symmetric, positive diagonal; levels: columns, 1 to 1024, columns of one level stay;
/// Row 0 of Q is row `grid_row` of the grid. gradient: G = (W - Q) H, kept up to date; quantized: Q, codes: of the same
/// shape, rows x columns; of those from 256 on it writes the low eight bits. All row-major without gaps. `control`:
/// asked before every few rows; rows that are not reached stay as they were. Rows are independent: same bits for any
/// number of threads, and on every level with a fused multiply-add. Cost: about 10 operations for each weight and
/// sweep, and 2 columns for each code that changes. Source: specs/quant.md, section 5.3.
void descend(MatrixView<const float> hessian, const CodedGrid& grid, std::size_t grid_row,
             std::span<const std::uint32_t> levels, MatrixView<float> gradient, MatrixView<float> quantized,
             MatrixView<std::uint8_t> codes, std::size_t sweeps, std::size_t threads, RunControl* control = nullptr);

}  // namespace dd::quantize
