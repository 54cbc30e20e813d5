// The slow scalar truth of quantisation, in float64, written from the formula.
#pragma once

#include <cstdint>
#include <span>

#include "quantize/gptq.hpp"

namespace dd::quantize::reference {

/// GPTQ one column after the other on `w` (becomes Q), with errors E and codes. Scale and zero of a column are computed
/// in float64, too, so a code may differ from the float32 kernels where w / scale is near the middle of two codes.
void gptq(MatrixView<double> w, MatrixView<const float> u, const GptqGrids& grids, MatrixView<double> errors,
          MatrixView<std::uint8_t> codes);

/// table[j levels.size() + k] = sum_i (w_ij - round_k(w_ij))^2, w rows x columns; grids as in
/// quantize/rounding_table.hpp.
void rounding_table(MatrixView<const float> w, std::span<const float> range, std::span<const float> ratio,
                    std::span<const std::uint32_t> levels, std::span<double> table);

/// losses[i factors.size() + c] = sum_j importance_j (w_ij - round_c(w_ij))^2; grids as in
/// quantize/range_candidates.hpp.
void range_candidates(MatrixView<const float> w, std::span<const float> range, std::span<const float> ratio,
                      std::span<const std::uint32_t> levels, std::span<const float> importance,
                      std::span<const float> factors, std::span<float> losses);

/// One sweep of descent on codes (quantize/descent.hpp); grids as in GptqGrids. Codes are found in float64, so one may
/// differ from the float32 kernels where its position is near the middle of two.
void descent(MatrixView<const float> hessian, const GptqGrids& grids, MatrixView<double> gradient,
             MatrixView<double> quantized, MatrixView<std::uint8_t> codes);

}  // namespace dd::quantize::reference
