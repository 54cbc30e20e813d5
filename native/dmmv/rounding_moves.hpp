// What all rows of a weight matrix share when they are rounded against the same activations: the second moment of the
// activations, its factors, and a dictionary of integer directions with their effect on every token.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "core/matrix_view.hpp"
#include "core/run_control.hpp"

namespace dd::dmmv {

enum class RoundingMoveKinds : std::uint8_t {
  automatic,  ///< unit and lattice moves up to 1024 columns, else unit moves
  unit,       ///< one weight, one level up or down
  lattice     ///< also the columns of the transform of a lattice reduction of the activations
};

/// Pair p: weights `variables` [starts[p], starts[p + 1]) move by `amounts` levels, and all outputs by effect(p).
struct RoundingMoves {
  std::size_t tokens = 0, columns = 0, pairs = 0;
  std::vector<std::size_t> starts;
  std::vector<std::int32_t> variables, amounts;
  AlignedBuffer<float> effects;   ///< tokens x pairs, column-major
  std::vector<double> gram;       ///< pairs x pairs inner products of the effects; empty unless asked for
  std::vector<double> triangle;   ///< R of the reduced basis in the damped metric, columns x columns, column-major
  std::vector<double> transform;  ///< its transform, columns x columns, column-major; empty without lattice moves
  std::size_t lattice_swaps = 0;
};

/// `activations`: tokens x columns, column-major. `damped`: H + lambda I, columns x columns, symmetric, positive
/// definite. Lattice moves come from LLL of the triangle of `damped`, so dependent columns do no harm. Stops early
/// (with unit moves) when `control` says so. Throws singular when `damped` is not positive definite in float64. Cost:
/// columns^3 for the reduction of well conditioned columns, tokens columns for every entry of a move's direction.
RoundingMoves make_rounding_moves(MatrixView<const double> activations, std::span<const double> damped,
                                  RoundingMoveKinds kinds, bool with_gram, const RunControl& control);

}  // namespace dd::dmmv
