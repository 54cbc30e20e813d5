// Linear steps by one factor of the whole: Cholesky of J^T J, LU of square J, QR of small dense J.
#pragma once

#include <optional>

#include "linalg/sparse/lu.hpp"
#include "odil/matrix_step.hpp"

namespace dd::odil {

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

}  // namespace dd::odil
