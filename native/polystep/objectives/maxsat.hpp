// MAX-SAT as an objective (specs/polystep.md, section 11): coordinate i is a variable, true when it is above zero, and
// the loss is the weight of the clauses that no literal satisfies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "polystep/objective.hpp"

namespace dd::polystep {

enum class MaxSatCost : std::uint8_t { ratio, count };

/// Clause c holds the DIMACS literals starts[c] ... starts[c + 1] - 1: variable v as v or, negated, as -v, from 1.
/// No weights: every clause counts one.
struct MaxSatDescription {
  std::size_t variables = 0;
  std::span<const std::int32_t> literals;
  std::span<const std::int32_t> starts;
  std::span<const double> weights;
  MaxSatCost cost = MaxSatCost::ratio;
};

/// Clauses without repeated literals; tautologies are left out, for they cannot be unsatisfied, and so are empty
/// clauses, whose weight is `always_unsatisfied`. Weights are integers: multiples of a power of two so small that all
/// of them together are below 2^53. So sums of weights are exact in any order, and a change equals a recount.
class MaxSat final : public Objective {
 public:
  explicit MaxSat(const MaxSatDescription& description);

  std::string_view name() const noexcept override { return "maxSat"; }
  std::size_t dimension() const noexcept override { return variables_; }
  std::size_t bytes() const noexcept override;
  std::unique_ptr<Evaluator<float>> float32_evaluator(std::uint64_t seed) const override;
  std::unique_ptr<Evaluator<double>> float64_evaluator(std::uint64_t seed) const override;

  std::size_t variables() const noexcept { return variables_; }
  /// Clauses as given, tautologies and empty ones included.
  std::size_t given_clauses() const noexcept { return given_clauses_; }
  /// Clauses that are kept.
  std::size_t clauses() const noexcept { return starts_.size() - 1; }
  /// Literals of a kept clause: 2 variable + 1, or 2 variable when negated; variables from 0.
  std::span<const std::uint32_t> literals(std::size_t clause) const noexcept {
    return {literals_.data() + starts_[clause], starts_[clause + 1] - starts_[clause]};
  }
  const std::uint32_t* literal_data() const noexcept { return literals_.data(); }
  const std::uint32_t* literal_starts() const noexcept { return starts_.data(); }
  /// Clauses with variable i: 2 clause + 1, or 2 clause where it is negated, clauses ascending.
  std::span<const std::uint32_t> occurrences(std::size_t variable) const noexcept {
    return {occurrences_.data() + occurrence_starts_[variable],
            occurrence_starts_[variable + 1] - occurrence_starts_[variable]};
  }
  const std::uint32_t* occurrence_data() const noexcept { return occurrences_.data(); }
  const std::uint32_t* occurrence_starts() const noexcept { return occurrence_starts_.data(); }
  /// Null: every clause weighs one.
  const std::int64_t* weights() const noexcept { return weights_.empty() ? nullptr : weights_.data(); }
  std::int64_t weight(std::size_t clause) const noexcept { return weights_.empty() ? 1 : weights_[clause]; }
  std::int64_t always_unsatisfied() const noexcept { return always_unsatisfied_; }
  std::int64_t total_weight() const noexcept { return total_weight_; }
  /// How much one unit of integer weight stands for.
  double unit() const noexcept { return unit_; }
  /// The loss of that much unsatisfied weight.
  double loss(std::int64_t unsatisfied) const noexcept { return static_cast<double>(unsatisfied) / divisor_; }

  /// Bit d of the result: variables i and i + d + 1 meet in a clause.
  std::uint32_t neighbours(std::size_t variable) const noexcept { return neighbours_[variable]; }
  static constexpr std::size_t neighbour_reach = 16;

 private:
  void add_clause(std::span<const std::int32_t> given, double weight, std::vector<std::uint32_t>& scratch);
  void index_occurrences();

  std::size_t variables_;
  std::size_t given_clauses_;
  std::vector<std::uint32_t> literals_;
  std::vector<std::uint32_t> starts_{0};
  std::vector<std::uint32_t> occurrences_;
  std::vector<std::uint32_t> occurrence_starts_;
  std::vector<std::uint16_t> neighbours_;
  std::vector<std::int64_t> weights_;
  std::int64_t always_unsatisfied_ = 0;
  std::int64_t total_weight_ = 0;
  double unit_ = 1;
  double divisor_ = 1;
};

/// Random clauses of `literals_per_clause` distinct variables, each negated with probability 1/2: DIMACS literals,
/// clause after clause. Clause c is a function of (seed, c) alone.
void random_clauses(std::size_t variables, std::size_t literals_per_clause, std::uint64_t seed, std::size_t threads,
                    std::span<std::int32_t> literals);

}  // namespace dd::polystep
