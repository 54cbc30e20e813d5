// Which part of a row's range is worth its levels: what a narrower range clips is paid for by the finer steps of all
// other weights. Between BAQ's passes every row takes the best of a few ranges on the weights as they were corrected.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/matrix_view.hpp"

namespace dd::quantize {

/// losses[i factors.size() + c] = sum_j importance_j (w_ij - round_c(w_ij))^2, round_c on the grid of levels[j] levels
/// between -ratio_i f_c range_i and (1 - ratio_i) f_c range_i; one level is 0.
///
/// w: rows x columns, row-major; range, ratio: rows; levels: columns, 1 to 65536; importance: columns;
/// losses: rows x factors. Sums in float32 lanes, the lanes added in order: same bits for any number of threads.
/// Rounding takes a product with a reciprocal, as rounding_table does. Cost: rows columns factors, about 10 operations
/// each.
void range_candidates(MatrixView<const float> w, std::span<const float> range, std::span<const float> ratio,
                      std::span<const std::uint32_t> levels, std::span<const float> importance,
                      std::span<const float> factors, std::span<float> losses, std::size_t threads);

}  // namespace dd::quantize
