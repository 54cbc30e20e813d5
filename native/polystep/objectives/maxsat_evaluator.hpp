// The state of MAX-SAT while it is minimised: the assignment and, for each clause, how many of its literals are true.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "polystep/objectives/maxsat.hpp"
#include "polystep/objectives/maxsat_isa.hpp"

namespace dd::polystep {

/// An assignment that changes by flips. Methods that are const may be called by many threads; `flip` by many where
/// they flip variables that meet in no clause.
class MaxSatState {
 public:
  explicit MaxSatState(const MaxSat& problem);

  /// `assignment_` has been filled: counts everything anew.
  void recount(std::size_t threads);
  std::span<std::uint8_t> assignment() noexcept { return assignment_; }
  std::span<const std::uint8_t> assignment() const noexcept { return assignment_; }
  std::span<const std::uint8_t> counts() const noexcept { return {counts_.data(), problem_.clauses()}; }

  /// out[i] = change of the unsatisfied weight when variables[i] alone is flipped.
  void deltas(std::span<const std::uint32_t> variables, std::int64_t* out) const noexcept;
  /// The change when all of `variables` (distinct) are flipped together.
  std::int64_t joint_delta(std::span<const std::uint32_t> variables) const;
  /// Flips and returns the change.
  std::int64_t flip(std::uint32_t variable) noexcept;

  std::int64_t unsatisfied() const noexcept { return unsatisfied_.load(std::memory_order_relaxed); }
  /// Sums of integers do not depend on the order of the threads that add.
  void add(std::int64_t change) noexcept { unsatisfied_.fetch_add(change, std::memory_order_relaxed); }

 private:
  const MaxSat& problem_;
  LargeVector<std::uint8_t> assignment_;
  LargeVector<std::uint8_t> counts_;
  std::atomic<std::int64_t> unsatisfied_{0};
};

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
  void replace(std::size_t first, std::span<const Scalar> values) override;
  double base_loss() const override { return problem_.loss(state_.unsatisfied()); }
  void begin_colour() override {
    side_by_side_ = true;
    reference_ = state_.unsatisfied();
  }
  std::vector<std::vector<std::uint32_t>> blocks_by_colour(std::size_t width) const override;

 private:
  struct Rows;
  void evaluate_rows(std::size_t first, MatrixView<const Scalar> replacements, std::span<double> values) const;
  void evaluate_wide(std::size_t first, MatrixView<const Scalar> replacements, std::span<double> values) const;
  std::int64_t reference() const noexcept { return side_by_side_ ? reference_ : state_.unsatisfied(); }

  const MaxSat& problem_;
  MaxSatState state_;
  bool side_by_side_ = false;
  std::int64_t reference_ = 0;
};

}  // namespace dd::polystep
