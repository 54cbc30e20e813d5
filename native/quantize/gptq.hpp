// GPTQ: rounding a weight matrix column by column, each column's error being made good by the columns behind it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/aligned_buffer.hpp"
#include "core/isa.hpp"
#include "core/matrix_view.hpp"
#include "core/run_control.hpp"

namespace dd::quantize {

inline constexpr std::uint32_t gptq_largest_levels = 256;
/// Where no codes are asked for: beyond, roundings of zeros would not be exact.
inline constexpr std::uint32_t gptq_largest_wide_levels = 1024;

enum class GptqGridForm : std::uint8_t {
  scale_and_zero,  ///< two numbers a row and group, the same for all its columns
  range_and_ratio  ///< of which every column makes its own: scale = range / (levels_j - 1), zero = round(ratio
                   ///< (levels_j - 1)), half to even, ratio being -minimum / range; a column of one level is 0
};

/// The values a weight may take: code = clamp(round(w / scale) + zero, 0, levels - 1), half to even, and
/// value = scale (code - zero). Row-major views, rows x groups; one column of them is a grid per row.
struct GptqGrids {
  GptqGridForm form = GptqGridForm::scale_and_zero;
  MatrixView<const float> scale;  ///< or the range; finite and positive
  MatrixView<const float> zero;   ///< integers within +-2^20; or the ratio, within +-2^12
  /// Group of each column, in any order (columns sorted by act-order keep their group); empty: all in group 0.
  std::span<const std::uint32_t> group;
  /// Levels of each column, or one number for all; 1 to 256, to 1024 where no codes are asked for.
  std::span<const std::uint32_t> levels;
};

/// What is wanted; a view without data and an empty span are not written.
struct GptqOutputs {
  MatrixView<std::uint8_t> codes;   ///< rows x columns, unit column stride
  MatrixView<float> quantized;      ///< Q, the same shape; may be W itself
  MatrixView<float> errors;         ///< E, e_ij = (w_ij - q_ij) / U_jj at the moment of rounding: W - Q = E U
  std::span<double> column_losses;  ///< columns: 1/2 sum_i e_ij^2; their sum is 1/2 tr((W - Q) H (W - Q)^T)
};

/// Memory that a caller with many layers keeps between calls, about 4 rows columns + 2 columns^2 bytes and 512 rows;
/// touching fresh pages is a twentieth of the time of a call. Not for two calls at once.
class GptqWorkspace {
 public:
  AlignedBuffer<float> weights, errors, grids, factor, packed, squares;
  const float* packed_from = nullptr;  ///< the U that `factor` and `packed` were made of, if it may be used again
  std::size_t packed_columns = 0;
  IsaLevel packed_for = IsaLevel::baseline;
};

struct GptqOptions {
  std::size_t threads = 1;              ///< 0: the size of the shared pool; same bits for any number
  const RunControl* control = nullptr;  ///< asked before every block of a strip of rows
  GptqWorkspace* workspace = nullptr;   ///< null: own memory for this call
  /// U is the same in all calls with this workspace that say so: it is checked and packed once for those that follow
  /// each other at one instruction-set level.
  bool same_factor = false;
};

/// For j = 0, 1, ...: q_j = round(W_:j), e_j = (W_:j - q_j) / U_jj, W_:k -= e_j U_jk for k > j.
///
/// w: rows x columns, row-major (unit column stride, any row stride), in processing order.
/// u: columns x columns, row-major, of which the upper triangle is read: U^T U = (H + lambda I)^-1.
/// Returns the number of columns done in all rows: all of them unless `control` said stop; outputs of the others are
/// unspecified.
/// Throws dd::Error before any output is written: ERR_SHAPE_MISMATCH, ERR_OUT_OF_RANGE (levels, groups, zeros,
/// strides), ERR_INVALID_ARG_VALUE (a diagonal entry or scale that is not positive, a stride along rows),
/// ERR_NOT_FINITE with the first place in w, u or the grids. No rows or no columns is not an error.
///
/// Groups whose grid depends on the weights as corrected so far: call once per group with that group's columns and the
/// diagonal block of U, then subtract E U[group, behind] from what is behind (linalg::gemm) and find the next grid.
/// Cost: rows columns^2 operations. Same bits for any number of threads, and on every level with a fused multiply-add.
/// Source: Frantar et al., GPTQ, arXiv 2210.17323, algorithm 1, in blocks of 128 columns.
[[nodiscard]] std::size_t gptq_quantize(MatrixView<const float> w, MatrixView<const float> u, const GptqGrids& grids,
                                        const GptqOutputs& outputs, const GptqOptions& options = {});

}  // namespace dd::quantize
