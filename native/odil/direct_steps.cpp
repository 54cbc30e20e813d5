#include "odil/direct_steps.hpp"

#include <cmath>

#include "linalg/qr.hpp"

namespace dd::odil {

CholeskyStep::CholeskyStep(const Problem& problem, Normalization normalization, std::size_t threads)
    : MatrixStep(problem, normalization, threads),
      layout_(problem.description().parameters == 0 ? grid_layout(problem.description()) : std::nullopt),
      least_squares_(matrix_.pattern, layout_ ? &*layout_ : nullptr, threads) {}

StepResult CholeskyStep::solve(std::span<const double> v, const Damping& damping, std::span<double> step,
                               RunControl& control) {
  require_factor_memory(least_squares_, control, threads_);
  const linalg::FactorResult factored = least_squares_.factor(matrix_, terms(damping), control);
  if (factored.status == linalg::FactorStatus::factored) least_squares_.solve(matrix_, v, step, 1, threads_);
  return result_of(factored);
}

LuStep::LuStep(const Problem& problem, Normalization normalization, std::size_t threads)
    : MatrixStep(problem, normalization, threads), lu_(matrix_.pattern) {}

StepResult LuStep::solve(std::span<const double> v, const Damping&, std::span<double> step, RunControl& control) {
  require_factor_memory(lu_, control);
  const linalg::FactorResult factored = lu_.factor(matrix_, control);
  if (factored.status != linalg::FactorStatus::factored) return result_of(factored);
  std::transform(v.begin(), v.end(), step.begin(), [](double value) { return -value; });
  lu_.solve(step);
  return {};
}

StepResult QrStep::solve(std::span<const double> v, const Damping& damping, std::span<double> step,
                         RunControl& control) {
  const std::size_t rows = problem_.residuals(), columns = problem_.unknowns();
  const std::size_t below = damping.none() ? 0 : columns;  // one row for each term of the diagonal
  require_dense_memory(2 * static_cast<double>(rows + below), columns, control,
                       "the dense matrix of linearSolver 'qr'");
  AlignedBuffer<double> dense((rows + below) * columns);
  std::fill(dense.begin(), dense.end(), 0);
  const auto a = MatrixView<double>::column_major(dense.data(), rows + below, columns);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t k = matrix_.pattern.starts[r]; k < matrix_.pattern.starts[r + 1]; ++k) {
      a(r, matrix_.pattern.indices[k]) = matrix_.values[k];
    }
  }
  if (below > 0) {
    const std::vector<double> added = added_diagonal(damping);
    for (std::size_t j = 0; j < columns; ++j) a(rows + j, j) = std::sqrt(added[j]);
  }
  std::vector<double> right(rows + below, 0);
  std::transform(v.begin(), v.end(), right.begin(), [](double value) { return -value; });
  const std::vector<double> found = linalg::RankRevealingQr(a).solve(right);
  std::copy(found.begin(), found.end(), step.begin());
  return {};
}

}  // namespace dd::odil
