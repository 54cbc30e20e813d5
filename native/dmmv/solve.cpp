// Which search a problem gets, and what presolve took away given back.
#include "dmmv/solve.hpp"

#include <algorithm>
#include <cmath>

#include "dmmv/evaluate.hpp"
#include "dmmv/portfolio.hpp"
#include "dmmv/presolve.hpp"
#include "dmmv/solve_options.hpp"
#include "dmmv/sparse_rows.hpp"
#include "dmmv/sparse_solve.hpp"

namespace dd::dmmv {

const char* solve_status_name(SolveStatus status) noexcept {
  switch (status) {
    case SolveStatus::optimal:
      return "optimal";
    case SolveStatus::target:
      return "target";
    case SolveStatus::stagnation:
      return "stagnation";
    case SolveStatus::iteration_limit:
      return "iterations";
    case SolveStatus::time_limit:
      return "time";
    case SolveStatus::cancelled:
      return "cancelled";
  }
  return "";
}

SolveResult solve(const Problem& problem, const SolveOptions& options, RunControl& control) {
  check_options(problem, options);
  // The guard adds up all rows, those included that can never decide.
  if (options.l2_guard >= 0) return solve_dense(problem, options, control);
  const Presolved presolved = presolve(problem, options.target);
  const bool single_changes = options.engine != Engine::norm_annealing && !has(options.moves, Moves::pair) &&
                              !has(options.moves, Moves::lattice) && !has(options.moves, Moves::swap);
  SolveResult result = single_changes && is_worth_sparse(presolved.problem())
                           ? solve_sparse(presolved.problem(), options, control)
                           : solve_dense(presolved.problem(), options, control);
  if (&presolved.problem() == &problem) return result;
  result.multipliers = presolved.original_multipliers(result.multipliers);
  result.objective = evaluate(problem, result.indices).objective;
  if (result.status == SolveStatus::optimal &&
      result.objective > result.lower_bound + 1e-9 * std::abs(result.lower_bound)) {
    // Rows that cannot exceed the target were left out, and decide below it.
    result.status = SolveStatus::target;
  }
  result.lower_bound = std::min(result.lower_bound, result.objective);
  result.gap = result.objective - result.lower_bound;
  return result;
}

}  // namespace dd::dmmv
