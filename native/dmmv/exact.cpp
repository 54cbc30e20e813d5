// Search first, then proof trees with ever better thresholds. Enumeration in the spirit of Kannan (STOC 1983) and
// Schnorr and Euchner (Math. Programming 66, 1994), with the maximum norm's own relaxation in place of a sphere.
#include "dmmv/exact.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "dmmv/evaluate.hpp"
#include "dmmv/proof_tree.hpp"
#include "dmmv/unit_rows.hpp"

namespace dd::dmmv {

void enumerate_from(const Problem& problem, std::span<const std::int32_t> incumbent, double gap, ExactResult& result,
                    RunControl& control) {
  require_proof_memory(problem, control);
  result.indices.assign(incumbent.begin(), incumbent.end());
  result.objective = objective(problem, result.indices);
  while (!result.proven && !control.should_stop()) {
    const double threshold = result.objective - gap * std::abs(result.objective);
    std::vector<std::int32_t> better;
    ProofTree tree(problem, result.indices, threshold, result, control);
    if (!tree.run(better)) return;
    if (better.empty()) {
      result.proven = true;
      result.lower_bound = std::max(result.lower_bound, threshold);
    } else {
      result.indices = std::move(better);
      result.objective = objective(problem, result.indices);
    }
  }
}

ExactResult solve_exact(const Problem& problem, const ExactOptions& options, RunControl& control) {
  if (!(options.gap >= 0 && options.gap < 1)) {
    throw Error(ErrorCode::invalid_argument_value, "gap",
                "`gap` must be at least 0 and below 1, got " + std::to_string(options.gap));
  }
  if (problem.soft_rows() != nullptr) return solve_exact(problem.without_soft_rows(), options, control);
  require_proof_memory(problem, control);
  ExactResult result;
  const double begun = control.seconds();
  SolveOptions search;
  search.initial = options.initial;
  search.seed = options.seed;
  search.iteration_limit = options.search_iterations;
  search.bound = BoundRequest::yes;
  RunControl part(control, control.time_limit_seconds() / 10);
  const SolveResult found = solve(problem, search, part);
  result.indices = found.indices;
  result.objective = found.objective;
  result.lower_bound = found.lower_bound;
  result.multipliers = found.multipliers;
  result.seconds.search = control.seconds() - begun;
  result.proven = found.status == SolveStatus::optimal;
  const double proving = control.seconds();
  if (!result.proven) {
    const std::vector<std::int32_t> incumbent = result.indices;
    enumerate_from(problem, incumbent, options.gap, result, control);
  }
  result.seconds.proof = control.seconds() - proving;
  result.lower_bound = std::min(result.lower_bound, result.objective);
  using Status = ExactResult::Status;
  if (!result.proven) result.status = control.cancelled() ? Status::cancelled : Status::time_limit;
  return result;
}

}  // namespace dd::dmmv
