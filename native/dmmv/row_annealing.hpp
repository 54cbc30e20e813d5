// p-norm annealing of one row of weights against shared activations (specs/dmmv.md 6.4), with proposals screened on the
// worst tokens (P5): a part of a sum of powers that is already too large rejects a move exactly as the whole would.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "core/philox.hpp"
#include "core/run_control.hpp"
#include "dmmv/rounding_moves.hpp"

namespace dd::dmmv {

/// A row in units of its own step: output error = X ((base + code) on free weights, 0 on fixed ones).
struct RoundingRow {
  std::span<const double> base;         ///< columns: (offset - weight) / step
  std::span<const std::uint8_t> fixed;  ///< columns: not 0 where the weight keeps its value; may be empty
  std::int32_t levels = 0;
};

struct RowObjective {
  double l2_weight = 0;                                       ///< of ||error||_2 beside max |error|
  double l2_limit = std::numeric_limits<double>::infinity();  ///< moves above it are refused
};

struct RowSchedule {
  std::uint64_t sweeps = 0;  ///< one proposal for each pair of moves
  double first_temperature = 0;
  double last_temperature = 0;
  std::uint32_t first_doublings = 2, last_doublings = 5;  ///< the exponent goes from 2^first to 2^last
};

class RowAnnealing {
 public:
  /// `activations`: tokens x columns, column-major.
  RowAnnealing(MatrixView<const double> activations, const RoundingMoves& moves);

  /// Anneals from `codes` and leaves the best codes met in it (never worse than what came, up to float32).
  void run(const RoundingRow& row, const RowObjective& objective, const RowSchedule& schedule, PhiloxStream random,
           const RunControl& control, std::span<std::int32_t> codes);

  std::uint64_t proposals() const noexcept { return proposals_; }

 private:
  void recompute(const RoundingRow& row);
  void screen();
  void begin_stage();
  float power_sum(const float* residual, const float* effect, std::size_t rows, float sign, float& largest) const;
  void propose(const RoundingRow& row);
  void accept(std::size_t pair, int sign, float sum, float largest, double square);
  double value(float largest, double square) const;

  MatrixView<const double> activations_;
  const RoundingMoves& moves_;
  std::size_t top_;
  AlignedBuffer<float> residual_, top_residual_, top_effects_, zero_;
  std::vector<double> exact_, inner_;
  std::vector<std::uint32_t> order_;
  std::vector<std::int32_t> codes_, best_;
  PhiloxStream random_{0, 0};
  RowObjective objective_;
  double temperature_ = 0, square_ = 0, best_value_ = 0, power_ = 1;
  float reference_ = 1, scale_ = 1, floor_ = 0, sum_ = 0, largest_ = 0;
  unsigned doublings_ = 1;
  std::uint64_t accepted_ = 0, accepted_since_screen_ = 0, proposals_ = 0;
  bool follows_square_ = false;
};

/// Whether every weight of a move is free and stays within its levels.
bool move_fits(const RoundingMoves& moves, const RoundingRow& row, std::span<const std::int32_t> codes,
               std::size_t pair, int sign) noexcept;

/// X (base + codes) in float64, from scratch: `out` has a value for each token.
void rounding_residual(MatrixView<const double> activations, const RoundingRow& row,
                       std::span<const std::int32_t> codes, std::span<double> out);

}  // namespace dd::dmmv
