// Rounding of whole layers: each row of a weight matrix to a few levels such that the largest output error over the
// calibration tokens is small, min_q max_k |X_k (w_q - w)| (arXiv 2508.13437, post-training quantisation).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/matrix_view.hpp"
#include "core/run_control.hpp"
#include "dmmv/rounding_moves.hpp"

namespace dd::dmmv {

struct WeightRounding {
  MatrixView<const double> activations;  ///< X, tokens x columns, any strides
  MatrixView<const double> weights;      ///< rows x columns, any strides
  std::int32_t levels = 8;               ///< of each weight, 2 to 65536
  /// Grid of each row, value = offset + step code; empty: from the least to the largest free weight of the row.
  std::span<const double> offsets, steps;
  std::span<const std::uint8_t> fixed;    ///< rows x columns, not 0: the weight keeps its value; may be empty
  std::span<const std::int32_t> initial;  ///< rows x columns codes to start from beside the others; may be empty
};

struct WeightRoundingOptions {
  std::uint64_t seed = 0;
  /// Length of the annealing runs of one round; 0: 64 without a time limit, else rounds of 4, 8, 16, ... until it ends.
  std::uint64_t sweeps = 0;
  std::uint32_t attempts = 0;  ///< runs of each row in a round; 0: enough for 8 runs in all
  RoundingMoveKinds moves = RoundingMoveKinds::automatic;
  double l2_weight = 0;     ///< the objective of a row is max_k |error_k| + l2_weight ||error||_2
  double l2_guard = -1;     ///< >= 0: no row ends with ||error||_2 above (1 + l2_guard) times that of its start
  bool reweighted = false;  ///< also GPTQ with tokens reweighted by their errors, five rounds (Lawson)
  double damping = 0.01;    ///< of X^T X, as a part of the mean of its diagonal
};

struct WeightRoundingResult {
  std::vector<std::int32_t> codes;     ///< rows x columns, row-major; -1 where the weight is fixed
  std::vector<double> offsets, steps;  ///< a grid for each row; a step of 0 where no weight of the row is free
  std::vector<double> errors;          ///< rows: max_k |error_k|, recomputed from scratch in float64
  std::vector<double> norms;           ///< rows: ||error||_2
  std::vector<double> nearest_errors, gptq_errors;  ///< rows: max error of rounding to nearest and of GPTQ
  std::uint64_t rounds = 0;                         ///< completed
  std::uint64_t proposals = 0;                      ///< moves tried
  std::size_t pairs = 0;                            ///< of moves
  enum class Status : std::uint8_t { done, time_limit, cancelled } status = Status::done;
  struct {
    double preparation = 0, starts = 0, search = 0;
  } seconds;
};

/// Throws what round_weights throws for its arguments.
void check_rounding(const WeightRounding& problem, const WeightRoundingOptions& options);

/// Starts of each row: nearest levels, GPTQ by falling diagonal, nearest plane in a reduced basis of the activations,
/// `initial`; the best one is annealed, then single moves follow while they lower the largest error; narrow rows are
/// then searched by the portfolio of solve.hpp. Given sweeps (or
/// no limit) results do not depend on the number of threads. `control` reports progress with the codes (int32) as
/// bytes.
///
/// Throws dd::Error: shape_mismatch, not_finite, out_of_range (levels, codes), invalid_argument_value (steps, weights
/// of the objective), out_of_memory before anything large is allocated. Cost: tokens columns^2 for the moments,
/// columns^3 for the reduction, then tokens moves operations a sweep and row.
WeightRoundingResult round_weights(const WeightRounding& problem, const WeightRoundingOptions& options,
                                   RunControl& control);

}  // namespace dd::dmmv
