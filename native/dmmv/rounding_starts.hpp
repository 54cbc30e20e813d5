// Starts of weight rounding: nearest level, GPTQ (nearest plane in the basis of the columns), nearest plane in a
// reduced basis, and GPTQ whose tokens are reweighted by the errors they end with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "core/matrix_view.hpp"
#include "core/run_control.hpp"
#include "dmmv/rounding_moves.hpp"
#include "dmmv/row_annealing.hpp"

namespace dd::dmmv {

/// The level nearest to each free weight, the lower one of two equally near; -1 on fixed weights.
void nearest_codes(const RoundingRow& row, std::span<std::int32_t> codes);

/// X^T X + damping mean(diagonal) I, columns x columns, both triangles; a column of zeros gets 1 on its diagonal.
/// `activations`: column-major. Cost: tokens columns^2.
std::vector<double> damped_moment(MatrixView<const double> activations, double damping, std::size_t threads);

/// GPTQ: columns by falling diagonal, each error made good by the columns behind it.
class GptqStart {
 public:
  /// Throws singular when `damped` is not positive definite.
  GptqStart(std::span<const double> damped, std::size_t columns, std::size_t threads);
  /// Rows are rounded independently; codes: rows.size() x columns. False when `control` stopped it.
  bool round(std::span<const RoundingRow> rows, std::size_t threads, const RunControl& control,
             std::span<std::int32_t> codes) const;

 private:
  std::size_t columns_;
  std::vector<std::uint32_t> order_;
  AlignedBuffer<float> factor_;
};

/// Nearest plane in the reduced basis of `moves` (which must have one), seen from the rounded weights; what leaves the
/// levels is clipped. A row with fixed weights has no such start. Cost: 4 columns^2.
void nearest_plane_codes(const RoundingMoves& moves, std::span<const double> damped, const RoundingRow& row,
                         std::span<std::int32_t> codes);

/// Five rounds of GPTQ in the metric of tokens weighted by |error| / mean |error| (Lawson's rule), from `codes`; leaves
/// the codes of least largest error among all rounds and what came. Cost: five times tokens columns^2.
void reweighted_codes(MatrixView<const double> activations, double damping, const RoundingRow& row,
                      const RunControl& control, std::span<std::int32_t> codes);

}  // namespace dd::dmmv
