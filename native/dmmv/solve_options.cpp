#include "dmmv/solve_options.hpp"

#include <cmath>
#include <string>

#include "core/error.hpp"

namespace dd::dmmv {

void check_options(const Problem& problem, const SolveOptions& options) {
  if (!options.initial.empty() || problem.variables() == 0) problem.check_indices(options.initial, "initial");
  if (!options.continuous.empty()) {
    if (options.continuous.size() != problem.variables()) {
      fail(ErrorCode::shape_mismatch, "continuous",
           "must have length " + std::to_string(problem.variables()) + " (one entry per variable), got " +
               std::to_string(options.continuous.size()));
    }
    for (std::size_t j = 0; j < options.continuous.size(); ++j) {
      if (!std::isfinite(options.continuous[j])) {
        fail(ErrorCode::not_finite, "continuous[" + std::to_string(j) + "]", "must be finite");
      }
    }
  }
  if (!(options.eta >= 0 && options.eta < 1)) {
    fail(ErrorCode::invalid_argument_value, "eta",
         "must be 0 (automatic) to below 1, got " + std::to_string(options.eta));
  }
  if (!(options.decay > 0 && options.decay <= 1)) {
    fail(ErrorCode::invalid_argument_value, "decay",
         "must be above 0 and at most 1, got " + std::to_string(options.decay));
  }
  if (std::isnan(options.target)) fail(ErrorCode::not_finite, "target", "must not be NaN");
  if (problem.soft_rows() != nullptr && !std::isfinite(options.target)) {
    fail(ErrorCode::invalid_argument_value, "target", "must be given (finite) when the problem has soft rows");
  }
  if (!problem.levels().equally_spaced()) {
    if (has(options.moves, Moves::lattice) || has(options.moves, Moves::pair)) {
      fail(ErrorCode::invalid_argument_value, "moves", "must be unit (or automatic): levels are not equally spaced");
    }
    if (options.engine == Engine::norm_annealing) {
      fail(ErrorCode::invalid_argument_value, "engine",
           "must be target search (or automatic): levels are not equally spaced");
    }
  }
  if (std::isnan(options.l2_guard)) fail(ErrorCode::not_finite, "l2Guard", "must not be NaN");
  if (options.l2_guard >= 0) {
    const bool anneals = options.engine == Engine::norm_annealing || options.engine == Engine::both;
    if (anneals)
      fail(ErrorCode::invalid_argument_value, "engine", "must be target search (or automatic) with `l2Guard`");
    if (has(options.moves, Moves::swap)) {
      fail(ErrorCode::invalid_argument_value, "moves", "must be without swaps with `l2Guard`");
    }
    if (problem.soft_rows() != nullptr) {
      fail(ErrorCode::invalid_argument_value, "l2Guard", "must not be given where there are soft rows");
    }
  }
  if (problem.soft_rows() != nullptr && has(options.moves, Moves::swap)) {
    fail(ErrorCode::invalid_argument_value, "moves", "must be without swaps where there are soft rows");
  }
  if (problem.soft_rows() != nullptr && options.engine == Engine::norm_annealing) {
    fail(ErrorCode::invalid_argument_value, "engine", "must be target search (or automatic) with soft rows");
  }
}

}  // namespace dd::dmmv
