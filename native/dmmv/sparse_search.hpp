// One chain of the search of sparse problems: steps come from a row that is violated, because no other change can help
// (specs/dmmv.md, P4), and cost the entries of its columns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "core/function_ref.hpp"
#include "core/philox.hpp"
#include "dmmv/sparse_rows.hpp"
#include "dmmv/target_search.hpp"
#include "dmmv/tournament.hpp"

namespace dd::dmmv {

struct SparseSearchParameters {
  double eta = 0.01;
  double decay = 0.9;
  std::uint32_t tabu = 2;
  double feasible = 0;         ///< with soft rows: the level t(x) must not exceed
  double heat = 1;             ///< with soft rows: first temperature, in multipliers times level steps
  std::uint64_t cycle = 1000;  ///< steps of a cooling
};

class SparseSearch {
 public:
  SparseSearch(const Problem& problem, const SearchRows& rows, const SparseRows& sparse,
               const SparseSearchParameters& parameters, std::uint64_t seed, std::uint32_t stream);

  /// Starts a walk; row weights are reset. What was best so far stays.
  void start(std::span<const std::int32_t> indices);
  /// Up to `steps` steps; stops early when `should_stop()`, or at an objective <= target without soft rows.
  void run(std::uint64_t steps, double target, FunctionRef<bool()> should_stop);
  /// A better value from elsewhere: without soft rows the target moves below it.
  void tell(double objective);

  const SearchBest& best() const noexcept { return best_; }
  std::uint64_t since_improvement() const noexcept { return since_; }
  std::uint64_t steps() const noexcept { return steps_; }
  std::uint64_t evaluations() const noexcept { return evaluations_; }
  PhiloxStream& random() noexcept { return random_; }

 private:
  struct Change {
    std::int32_t variable = -1;
    std::int32_t index = 0;
  };

  void set_target();
  void recompute();
  double excess(std::size_t row) const noexcept;
  void mark(std::size_t row);
  void gather(std::size_t row);
  Change choose(double& change, bool soft);
  void apply(Change change);
  void learn();
  void note_best();
  void keep_best();
  double temperature() const noexcept;

  const Problem& problem_;
  const SearchRows& rows_;
  const SparseRows& sparse_;
  SparseSearchParameters parameters_;
  PhiloxStream random_;
  std::vector<std::int32_t> indices_;
  std::vector<double> residual_, weight_, upper_, lower_;
  Tournament violations_;
  std::vector<std::uint32_t> violated_[2], place_;  ///< hard and soft rows above their thresholds, and where they are
  std::vector<std::int32_t> candidate_columns_, candidate_indices_;
  std::vector<double> candidate_steps_, candidate_values_;
  std::vector<std::uint64_t> barred_until_;
  std::vector<std::int32_t> barred_index_;
  SearchBest best_;
  std::vector<Change> journal_;  ///< old indices since the best assignment was passed
  bool best_is_behind_ = false;  ///< the best assignment is the present one with the journal undone
  double target_ = 0, soft_ = 0, spread_ = 0, increment_ = 1, unit_ = 1;
  std::uint64_t steps_ = 0, since_ = 0, applied_ = 0, evaluations_ = 0;
};

}  // namespace dd::dmmv
