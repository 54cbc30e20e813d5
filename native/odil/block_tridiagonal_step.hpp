// The linear step by block-tridiagonal Cholesky of J^T J, level by level of the first axis.
#pragma once

#include <optional>
#include <vector>

#include "linalg/block_tridiagonal.hpp"
#include "odil/matrix_step.hpp"

namespace dd::odil {

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

}  // namespace dd::odil
