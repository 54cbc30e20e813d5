// The linear step by conjugate gradients, preconditioned by the square block of equations.
#pragma once

#include <optional>

#include "linalg/sparse/lu.hpp"
#include "odil/matrix_step.hpp"

namespace dd::odil {

/// On J^T J + T, preconditioned by S^-1 S^-T with S the square block of residuals and its field: what is not the
/// identity then is what the other residuals know, whatever the grid.
class ConjugateGradientStep final : public MatrixStep {
 public:
  ConjugateGradientStep(const Problem& problem, Normalization normalization, std::size_t threads);
  LinearSolver solver() const noexcept override { return LinearSolver::conjugate_gradient; }
  void linearise(std::span<const double> z) override;
  StepResult solve(std::span<const double> v, const Damping& damping, std::span<double> step,
                   RunControl& control) override;
  /// The block with as many residuals as there are unknowns, when these are one field.
  static std::optional<std::size_t> square_block(const Problem& problem);

 private:
  std::size_t block_;
  linalg::SparseMatrix square_;
  linalg::SparseLu lu_;
};

}  // namespace dd::odil
