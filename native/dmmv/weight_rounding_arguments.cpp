// What weight rounding refuses, before any work.
#include <cmath>
#include <string>

#include "core/error.hpp"
#include "dmmv/weight_rounding.hpp"

namespace dd::dmmv {
namespace {}  // namespace

void check_rounding(const WeightRounding& problem, const WeightRoundingOptions& options) {
  const std::size_t rows = problem.weights.rows, columns = problem.weights.columns;
  if (rows == 0 || columns == 0) fail(ErrorCode::shape_mismatch, "weights", "must have rows and columns");
  if (problem.activations.rows == 0 || problem.activations.columns != columns) {
    fail(ErrorCode::shape_mismatch, "activations",
         "must have at least one token and " + std::to_string(columns) + " columns, got " +
             std::to_string(problem.activations.rows) + " x " + std::to_string(problem.activations.columns));
  }
  if (problem.levels < 2 || problem.levels > 65536) {
    fail(ErrorCode::out_of_range, "levels", "must be 2 to 65536, got " + std::to_string(problem.levels));
  }
  const auto finite = [&](const MatrixView<const double>& matrix, const char* name) {
    for (std::size_t i = 0; i < matrix.rows; ++i) {
      for (std::size_t j = 0; j < matrix.columns; ++j) {
        if (!std::isfinite(matrix(i, j))) {
          fail(ErrorCode::not_finite, name,
               "must be finite, got " + std::to_string(matrix(i, j)) + " at row " + std::to_string(i) + ", column " +
                   std::to_string(j));
        }
      }
    }
  };
  finite(problem.activations, "activations");
  finite(problem.weights, "weights");
  const auto length = [](std::size_t got, std::size_t expected, const char* name) {
    if (got != 0 && got != expected) {
      fail(ErrorCode::shape_mismatch, name,
           "must have length " + std::to_string(expected) + ", got " + std::to_string(got));
    }
  };
  length(problem.fixed.size(), rows * columns, "fixed");
  length(problem.initial.size(), rows * columns, "initial");
  length(problem.offsets.size(), rows, "offsets");
  length(problem.steps.size(), rows, "steps");
  if (problem.offsets.empty() != problem.steps.empty()) {
    fail(ErrorCode::shape_mismatch, "steps", "must be given exactly where `offsets` is");
  }
  for (std::size_t i = 0; i < problem.steps.size(); ++i) {
    if (!(problem.steps[i] > 0) || !std::isfinite(problem.steps[i])) {
      fail(ErrorCode::invalid_argument_value, "steps[" + std::to_string(i) + "]", "must be positive and finite");
    }
    if (!std::isfinite(problem.offsets[i])) {
      fail(ErrorCode::not_finite, "offsets[" + std::to_string(i) + "]", "must be finite");
    }
  }
  for (std::size_t k = 0; k < problem.initial.size(); ++k) {
    if (!problem.fixed.empty() && problem.fixed[k] != 0) continue;
    if (problem.initial[k] < 0 || problem.initial[k] >= problem.levels) {
      fail(ErrorCode::out_of_range, "initial[" + std::to_string(k) + "]",
           "must be a level, 0 to " + std::to_string(problem.levels - 1) + ", got " +
               std::to_string(problem.initial[k]));
    }
  }
  if (!(options.l2_weight >= 0) || !std::isfinite(options.l2_weight)) {
    fail(ErrorCode::invalid_argument_value, "l2Weight", "must be finite and not negative");
  }
  if (std::isnan(options.l2_guard)) fail(ErrorCode::invalid_argument_value, "l2Guard", "must not be NaN");
  if (!(options.damping > 0) || !std::isfinite(options.damping)) {
    fail(ErrorCode::invalid_argument_value, "damping", "must be finite and positive");
  }
}

}  // namespace dd::dmmv
