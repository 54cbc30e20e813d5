// Scores MAX-SAT candidates: whole points by a bit per point, replacements by the clauses of the flipped variables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "polystep/objectives/maxsat.hpp"
#include "polystep/objectives/maxsat_state.hpp"

namespace dd::polystep {

/// unsatisfied[p] = weight of the clauses that point p leaves unsatisfied, 64 points at a time.
template <class Scalar>
void count_unsatisfied(const MaxSat& problem, MatrixView<const Scalar> points, std::span<std::int64_t> unsatisfied);

template <class Scalar>
class MaxSatEvaluator final : public Evaluator<Scalar> {
 public:
  explicit MaxSatEvaluator(const MaxSat& problem) : problem_(problem), state_(problem) {}

  void evaluate(MatrixView<const Scalar> points, std::span<double> values) const override;
  double set_base(std::span<const Scalar> base, std::size_t threads) override;
  void evaluate_replacements(std::size_t first, MatrixView<const Scalar> replacements,
                             std::span<double> values) const override;
  void evaluate_blocks(const RowSet& blocks, MatrixView<const Scalar> replacements, std::span<double> values,
                       std::size_t lane) const override;
  void replace(std::size_t first, std::span<const Scalar> values) override { replace_block(first, values, 0); }
  void replace_block(std::size_t first, std::span<const Scalar> values, std::size_t lane) override;
  double base_loss() const override { return problem_.loss(state_.unsatisfied()); }
  void begin_colour(std::size_t lanes) override;
  void enter_lane(std::size_t lane) override { state_.catch_up(own(lane)); }
  std::vector<std::vector<std::uint32_t>> blocks_by_colour(std::size_t width) const override;

 private:
  struct Flips;
  std::uint64_t find_flips(std::size_t first, MatrixView<const Scalar> replacements, std::uint64_t* flips) const;
  void add_flips(const Flips& flips, std::span<double> values) const;
  void evaluate_pairs(const RowSet& blocks, MatrixView<const Scalar> replacements, std::span<double> values,
                      std::size_t lane) const;
  /// The lane whose counts a thread uses.
  std::size_t own(std::size_t lane) const noexcept { return lane < state_.lanes() ? lane : 0; }
  void evaluate_rows(std::size_t first, MatrixView<const Scalar> replacements, std::span<double> values) const;
  void evaluate_wide(std::size_t first, MatrixView<const Scalar> replacements, std::span<double> values) const;
  std::int64_t reference() const noexcept { return side_by_side_ ? reference_ : state_.unsatisfied(); }

  const MaxSat& problem_;
  MaxSatState state_;
  bool side_by_side_ = false, counted_ = false;
  std::int64_t reference_ = 0;
};

}  // namespace dd::polystep
