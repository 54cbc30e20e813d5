// One chain of the weighted target search: a walk over integer directions that always takes the best one for a penalty
// whose row weights learn which rows are hard (specs/dmmv.md 6.3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "core/function_ref.hpp"
#include "core/philox.hpp"
#include "dmmv/moves.hpp"
#include "dmmv/problem.hpp"

namespace dd::dmmv {

struct TargetSearchParameters {
  double eta = 1e-4;
  double decay = 0.9;
  std::uint32_t tabu = 2;
  double feasible = 0;  ///< with soft rows: the level t(x) must not exceed
  /// Largest sum of squared residuals of what is kept; steps above it are only taken downwards.
  double square_limit = std::numeric_limits<double>::infinity();
};

/// What a chain has found; `soft` counts only where the problem has soft rows.
struct SearchBest {
  std::vector<std::int32_t> indices;
  double objective = std::numeric_limits<double>::infinity();
  double soft = std::numeric_limits<double>::infinity();
};

/// The order of the search: by objective; with soft rows, what is feasible comes first and is ordered by `soft`.
/// Less means by more than rounding.
bool is_better(const SearchRows& rows, double feasible, double objective, double soft, const SearchBest& than) noexcept;

class TargetSearch {
 public:
  TargetSearch(const Problem& problem, const SearchRows& rows, const MoveDictionary& moves,
               const TargetSearchParameters& parameters, std::uint64_t seed, std::uint32_t stream);

  /// Starts a walk at `indices`; row weights are reset. What was best so far stays.
  void start(std::span<const std::int32_t> indices);
  /// Up to `steps` steps; stops early when `should_stop()`, asked every few microseconds, or at an objective <= target.
  void run(std::uint64_t steps, double target, FunctionRef<bool()> should_stop);
  /// A better value from elsewhere: the target moves below it.
  void tell(double objective);

  const SearchBest& best() const noexcept { return best_; }
  /// Steps since the walk was started or last found a new best value.
  std::uint64_t since_improvement() const noexcept { return since_; }
  std::uint64_t steps() const noexcept { return steps_; }
  /// Where the walk found its least violation.
  const SearchBest& walk_best() const noexcept { return walk_best_; }
  PhiloxStream& random() noexcept { return random_; }

 private:
  void set_target();
  void refresh_thresholds();
  void recompute();
  double penalty_and_violation();
  bool in_range(std::size_t move) const noexcept;
  void apply(std::size_t move, bool learn);
  void round_to_single() noexcept;
  void follow_level(std::size_t j);
  void record();
  bool is_within_squares(std::size_t move) const noexcept;

  const Problem& problem_;
  const SearchRows& rows_;
  const MoveDictionary* moves_;
  MoveDictionary own_moves_;  // a copy, where effects follow the levels
  TargetSearchParameters parameters_;
  PhiloxStream random_;
  std::vector<std::int32_t> indices_;
  std::vector<std::int32_t> counts_;
  AlignedBuffer<double> residual_, omega_, upper_, lower_;
  // What kernel K2 reads: the choice of a move needs no more than float32, and half the memory is twice the speed.
  // Everything that is kept (residual, weights, violation, penalty) is float64.
  AlignedBuffer<float> single_residual_, single_omega_, single_upper_, single_lower_, penalties_;
  std::vector<std::uint64_t> barred_until_;
  SearchBest best_, walk_best_;
  double target_ = 0, penalty_ = 0, violation_ = 0, soft_ = 0, spread_ = 0;
  double increment_ = 1;
  std::uint64_t poll_every_ = 64, steps_ = 0, since_ = 0, applied_ = 0;
  std::vector<std::size_t> first_pair_of_;  // follows_levels: pair "up" of each variable
};

}  // namespace dd::dmmv
