// Linear steps that factor the Jacobian as a matrix.
#pragma once

#include <optional>

#include "linalg/block_tridiagonal.hpp"
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

class CholeskyStep final : public MatrixStep {
 public:
  CholeskyStep(const Problem& problem, Normalization normalization, std::size_t threads);
  LinearSolver solver() const noexcept override { return LinearSolver::cholesky; }
  StepResult solve(std::span<const double> v, const Damping& damping, std::span<double> step,
                   RunControl& control) override;

 private:
  std::optional<linalg::GridLayout> layout_;
  linalg::SparseLeastSquares least_squares_;
};

class LuStep final : public MatrixStep {
 public:
  /// Throws Error(singular) where the pattern of J has no full diagonal.
  LuStep(const Problem& problem, Normalization normalization, std::size_t threads);
  LinearSolver solver() const noexcept override { return LinearSolver::lu; }
  bool newton() const noexcept override { return true; }
  StepResult solve(std::span<const double> v, const Damping& damping, std::span<double> step,
                   RunControl& control) override;
  const linalg::SparseLu& factors() const noexcept { return lu_; }

 private:
  linalg::SparseLu lu_;
};

class QrStep final : public MatrixStep {
 public:
  using MatrixStep::MatrixStep;
  /// Entries of dense J at most.
  static constexpr std::size_t most_entries = std::size_t{1} << 24;
  LinearSolver solver() const noexcept override { return LinearSolver::qr; }
  StepResult solve(std::span<const double> v, const Damping& damping, std::span<double> step,
                   RunControl& control) override;
};

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

class BlockTridiagonalStep final : public MatrixStep {
 public:
  /// Largest block worth having.
  static constexpr std::size_t most_block = 1024;
  BlockTridiagonalStep(const Problem& problem, Normalization normalization, std::size_t threads);
  LinearSolver solver() const noexcept override { return LinearSolver::block_tridiagonal; }
  StepResult solve(std::span<const double> v, const Damping& damping, std::span<double> step,
                   RunControl& control) override;
  /// Unknowns of a level of the first axis; 0 where there is none because of parameters.
  static std::size_t level_unknowns(const Problem& problem);

 private:
  linalg::NormalEquations normal_;
  std::vector<linalg::Index> place_;  // of each unknown, level by level
  std::size_t block_ = 0;             // unknowns of a block of levels
  std::optional<linalg::BlockTridiagonalCholesky> factor_;
};

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

/// Unknowns that are nothing but fields, as a grid; the parameters are left out.
std::optional<linalg::GridLayout> grid_layout(const ProblemDescription& description);

}  // namespace dd::odil
