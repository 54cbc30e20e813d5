// The linear step where a few parameters border the fields: their columns are dense and eliminated.
#pragma once

#include <optional>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "odil/matrix_step.hpp"

namespace dd::odil {

class BorderedStep final : public MatrixStep {
 public:
  BorderedStep(const Problem& problem, Normalization normalization, std::size_t threads);
  LinearSolver solver() const noexcept override { return LinearSolver::bordered; }
  void linearise(std::span<const double> z) override;
  StepResult solve(std::span<const double> v, const Damping& damping, std::span<double> step,
                   RunControl& control) override;

 private:
  std::vector<std::size_t> grid_from_;  // entry of grid_ -> entry of matrix_; filled while grid_ is made
  linalg::SparseMatrix grid_;           // columns of the fields
  std::vector<std::size_t> border_from_, border_row_, border_column_;  // entries of the other columns
  std::optional<linalg::GridLayout> layout_;
  linalg::SparseLeastSquares least_squares_;
  AlignedBuffer<double> border_;  // residuals x parameters, column-major
};

}  // namespace dd::odil
