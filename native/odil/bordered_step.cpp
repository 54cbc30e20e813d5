#include "odil/bordered_step.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "linalg/cholesky.hpp"
#include "linalg/gemm.hpp"
#include "linalg/syrk.hpp"

namespace dd::odil {

BorderedStep::BorderedStep(const Problem& problem, Normalization normalization, std::size_t threads)
    : MatrixStep(problem, normalization, threads),
      grid_(some_columns(
          matrix_, 0, problem.residuals(), problem.grid_unknowns(), &grid_from_,
          [&](linalg::Index column) { return column < problem.grid_unknowns() ? column : linalg::no_index; })),
      layout_(grid_layout(problem.description())),
      least_squares_(grid_.pattern, layout_ ? &*layout_ : nullptr, threads),
      border_(problem.residuals() * problem.description().parameters) {
  for (std::size_t r = 0; r < problem.residuals(); ++r) {
    for (std::size_t k = matrix_.pattern.starts[r]; k < matrix_.pattern.starts[r + 1]; ++k) {
      const linalg::Index column = matrix_.pattern.indices[k];
      if (column < problem.grid_unknowns()) continue;
      border_from_.push_back(k);
      border_row_.push_back(r);
      border_column_.push_back(column - problem.grid_unknowns());
    }
  }
  std::fill(border_.begin(), border_.end(), 0);
}

void BorderedStep::linearise(std::span<const double> z) {
  MatrixStep::linearise(z);
  for (std::size_t k = 0; k < grid_from_.size(); ++k) grid_.values[k] = matrix_.values[grid_from_[k]];
  const std::size_t rows = problem_.residuals();
  for (std::size_t k = 0; k < border_from_.size(); ++k) {
    border_[border_column_[k] * rows + border_row_[k]] = matrix_.values[border_from_[k]];
  }
}

StepResult BorderedStep::solve(std::span<const double> v, const Damping& damping, std::span<double> step,
                               RunControl& control) {
  const std::size_t rows = problem_.residuals(), grid = problem_.grid_unknowns(), parameters = step.size() - grid;
  linalg::DiagonalTerms grid_terms = terms(damping);
  grid_terms.scale = grid_terms.scale.first(grid);
  require_factor_memory(least_squares_, control, threads_);
  require_dense_memory(3 * static_cast<double>(grid) + static_cast<double>(rows), parameters, control,
                       "the dense columns of linearSolver 'bordered'");
  const linalg::FactorResult factored = least_squares_.factor(grid_, grid_terms, control);
  if (factored.status != linalg::FactorStatus::factored) return result_of(factored);

  // What the fields make of a change of parameters, X = argmin ||B - J X||^2 + X^T T X, and what is left of it,
  // R = B - J X. From R and X the reduced problem comes without the cancellation of B^T B - (J^T B)^T A^-1 (J^T B).
  const std::vector<double> added = added_diagonal(damping);
  const std::span<const double> grid_added = std::span(added).first(grid);
  AlignedBuffer<double> response(grid * parameters), left(rows * parameters), change(grid * parameters);
  std::fill(response.begin(), response.end(), 0);
  std::copy(border_.begin(), border_.end(), left.begin());
  for (int turn = 0; turn < 2; ++turn) {  // twice, as J^T J has the square of the condition number
    for (std::size_t p = 0; p < parameters; ++p) {
      const auto column = change.span().subspan(p * grid, grid);
      linalg::multiply_transposed(grid_, least_squares_.normal_equations().transposed(),
                                  left.span().subspan(p * rows, rows), column, threads_);
      for (std::size_t k = 0; k < grid; ++k) column[k] -= grid_added[k] * response[p * grid + k];
    }
    least_squares_.cholesky().solve(MatrixView<double>::column_major(change.data(), grid, parameters));
    if (control.should_stop()) return {linalg::FactorStatus::stopped};
    for (std::size_t k = 0; k < response.size(); ++k) response[k] += change[k];
    for (std::size_t p = 0; p < parameters; ++p) {
      const auto r = left.span().subspan(p * rows, rows);
      linalg::multiply(grid_, response.span().subspan(p * grid, grid), r, threads_);
      for (std::size_t i = 0; i < rows; ++i) r[i] = border_[p * rows + i] - r[i];
    }
  }
  const auto fields = step.first(grid), border = step.subspan(grid);
  least_squares_.solve(grid_, v, fields, 1, threads_);
  std::vector<double> rest(rows);
  linalg::multiply(grid_, fields, rest, threads_);
  for (std::size_t i = 0; i < rows; ++i) rest[i] += v[i];

  AlignedBuffer<double> reduced(parameters * parameters), scaled(grid * parameters);
  const auto s = MatrixView<double>::column_major(reduced.data(), parameters, parameters);
  const auto x = MatrixView<const double>::column_major(response.data(), grid, parameters);
  const auto r = MatrixView<const double>::column_major(left.data(), rows, parameters);
  linalg::syrk<double>(1, r.transposed(), 0, s, linalg::Triangle::lower, threads_);
  if (!damping.none()) {
    for (std::size_t p = 0; p < parameters; ++p) {
      for (std::size_t k = 0; k < grid; ++k) scaled[p * grid + k] = std::sqrt(grid_added[k]) * response[p * grid + k];
    }
    const auto t = MatrixView<const double>::column_major(scaled.data(), grid, parameters);
    linalg::syrk<double>(1, t.transposed(), 1, s, linalg::Triangle::lower, threads_);
  }
  for (std::size_t p = 0; p < parameters; ++p) {
    s(p, p) += added[grid + p];
    if (s(p, p) == 0) s(p, p) = 1;  // read by nothing: its step is zero
    double sum = dot(left.span().subspan(p * rows, rows), rest, threads_);
    for (std::size_t k = 0; k < grid; ++k) sum -= response[p * grid + k] * grid_added[k] * fields[k];
    border[p] = -sum;
  }
  if (const std::size_t bad = linalg::cholesky<double>(s, linalg::Triangle::lower, threads_); bad != 0) {
    return {linalg::FactorStatus::not_positive_definite, static_cast<linalg::Index>(grid + bad - 1)};
  }
  const auto y = MatrixView<double>::column_major(border.data(), parameters, 1);
  if (linalg::cholesky_solve<double>(s, y, linalg::Triangle::lower, threads_) != 0) {
    throw Error(ErrorCode::internal, "border", "the reduced problem has a factor with a zero pivot");
  }
  linalg::gemm<double>(-1, x, y, 1, MatrixView<double>::column_major(fields.data(), grid, 1), threads_);
  return {};
}

}  // namespace dd::odil
