// What every column would lose with every number of levels: the measured tables of BAQ.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/matrix_view.hpp"

namespace dd::quantize {

/// In: E of a GPTQ pass; out: the weights as they were when their column was rounded, q_ij + e_ij U_jj.
void restore_weights(MatrixView<const float> quantized, MatrixView<const float> u, MatrixView<float> errors,
                     std::size_t threads);

/// table[j options + k] = sum_i (w_ij - round_k(w_ij))^2, round_k on the grid of levels[k] levels between
/// -ratio_i range_i and (1 - ratio_i) range_i; one level is 0.
///
/// w: rows x columns, row-major; range, ratio: rows; levels: options, 1 to 65536; table: columns x options.
/// Sums of at most 64 rows in float32, those in float64 in order: same bits for any number of threads. The quotient is
/// a product with a reciprocal, so weights within an ulp of the middle of two codes may go to either side: the error is
/// the same on both. Cost: rows columns options, about 10 operations each.
void rounding_table(MatrixView<const float> w, std::span<const float> range, std::span<const float> ratio,
                    std::span<const std::uint32_t> levels, std::span<double> table, std::size_t threads);

}  // namespace dd::quantize
