// One chain of the weighted target search: a walk over integer directions that always takes the best one for a penalty
// whose row weights learn which rows are hard (specs/dmmv.md 6.3).
#pragma once

#include <cstddef>
#include <cstdint>
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
  std::uint64_t patience = 0;  ///< steps without a new best value of the walk before it is started anew; 0: never
  double feasible = 0;         ///< with soft rows: the level t(x) must not exceed
};

/// What a chain has found; `soft` counts only where the problem has soft rows.
struct SearchBest {
  std::vector<std::int32_t> indices;
  double objective = 0;
  double soft = 0;
};

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
  /// Best value of the present walk and its steps since then.
  double walk_best() const noexcept { return walk_best_; }
  std::uint64_t since_improvement() const noexcept { return since_; }
  std::uint64_t steps() const noexcept { return steps_; }
  std::span<const std::int32_t> walk_best_indices() const noexcept { return walk_indices_; }
  PhiloxStream& random() noexcept { return random_; }

 private:
  void set_target();
  void refresh_thresholds();
  void recompute();
  double penalty_and_violation();
  bool in_range(std::size_t move) const noexcept;
  void apply(std::size_t move, bool learn);
  void follow_level(std::size_t j);
  bool better(double objective, double soft, const SearchBest& than) const noexcept;
  void record();

  const Problem& problem_;
  const SearchRows& rows_;
  const MoveDictionary* moves_;
  MoveDictionary own_moves_;  // a copy, where effects follow the levels
  TargetSearchParameters parameters_;
  PhiloxStream random_;
  std::vector<std::int32_t> indices_, walk_indices_;
  std::vector<std::int32_t> counts_;
  AlignedBuffer<double> residual_, omega_, upper_, lower_;
  std::vector<double> penalties_;
  std::vector<std::uint64_t> barred_until_;
  SearchBest best_;
  double walk_best_ = 0, walk_soft_ = 0, target_ = 0, penalty_ = 0, violation_ = 0, soft_ = 0, spread_ = 0;
  double increment_ = 1;
  std::uint64_t steps_ = 0, since_ = 0, applied_ = 0;
  std::vector<std::size_t> first_pair_of_;  // follows_levels: pair "up" of each variable
};

}  // namespace dd::dmmv
