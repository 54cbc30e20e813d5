// The Jacobian as a sparse matrix, and what steps that factor it share.
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <vector>

#include "core/reductions.hpp"
#include "linalg/sparse/least_squares.hpp"
#include "linalg/sparse/lu.hpp"
#include "odil/linear_step.hpp"

namespace dd::odil {

/// J as a sparse matrix, rows weighted.
class MatrixStep : public LinearStep {
 public:
  MatrixStep(const Problem& problem, Normalization normalization, std::size_t threads);
  void linearise(std::span<const double> z) override;

 protected:
  /// The diagonal terms of that damping; `scale_` is the norm of each column, with a floor relative to the largest.
  linalg::DiagonalTerms terms(const Damping& damping) const;
  /// The numbers those terms add to the diagonal.
  std::vector<double> added_diagonal(const Damping& damping) const;

  linalg::SparseMatrix matrix_;
  std::vector<double> squares_, scale_;  // of the columns
};

/// Unknowns that are nothing but fields, as a grid; the parameters are left out.
std::optional<linalg::GridLayout> grid_layout(const ProblemDescription& description);

/// The result of a step by that factor.
StepResult result_of(const linalg::FactorResult& factored);

/// The entries of `matrix` that `column_of` gives a place in a matrix of so many columns (no_index: none).
template <class ColumnOf>
linalg::SparseMatrix some_columns(const linalg::SparseMatrix& matrix, std::size_t first_row, std::size_t rows,
                                  std::size_t columns, std::vector<std::size_t>* from, ColumnOf&& column_of) {
  linalg::SparseMatrix result;
  result.pattern.rows = rows;
  result.pattern.columns = columns;
  for (std::size_t r = first_row; r < first_row + rows; ++r) {
    for (std::size_t k = matrix.pattern.starts[r]; k < matrix.pattern.starts[r + 1]; ++k) {
      const linalg::Index column = column_of(matrix.pattern.indices[k]);
      if (column == linalg::no_index) continue;
      result.pattern.indices.push_back(column);
      result.values.push_back(matrix.values[k]);
      if (from != nullptr) from->push_back(k);
    }
    result.pattern.starts.push_back(result.pattern.indices.size());
  }
  return result;
}

/// Before the first factor is allocated; later ones go where it was.
void require_factor_memory(const linalg::SparseLeastSquares& least_squares, const RunControl& control,
                           std::size_t threads);
void require_factor_memory(const linalg::SparseLu& lu, const RunControl& control);

/// Before dense matrices of that many rows in all are allocated.
void require_dense_memory(double rows, std::size_t columns, const RunControl& control, const char* what);

/// J^T (J d + v) + T d.
void gradient_at(linalg::SparseView j, std::span<const double> v, std::span<const double> d,
                 std::span<const double> added, std::span<double> gradient, std::size_t threads);

/// Of a step worth taking, relative to its start.
inline constexpr double sound_gradient = 1e-8;

/// The step by solutions with a factor of J^T J + T that is none too exact: from zero, then from there, since J^T J has
/// the square of the condition number. Converged where the gradient has become small.
template <class Solve>
StepResult corrected(linalg::SparseView j, std::span<const double> v, std::span<const double> added,
                     std::span<double> step, std::size_t threads, Solve&& solve) {
  std::fill(step.begin(), step.end(), 0);
  std::vector<double> gradient(step.size());
  double first = 0, last = 0;
  for (int turn = 0; turn < 4; ++turn) {
    gradient_at(j, v, step, added, gradient, threads);
    last = max_abs(gradient, threads);
    if (turn == 0) first = last;
    if (turn >= 2 && last <= sound_gradient * first) break;
    solve(std::span<double>(gradient));
    for (std::size_t k = 0; k < step.size(); ++k) step[k] -= gradient[k];
  }
  return {.converged = last <= sound_gradient * first};
}

}  // namespace dd::odil
