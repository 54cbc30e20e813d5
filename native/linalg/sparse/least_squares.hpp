// The linear step of a Gauss-Newton method by sparse Cholesky: min ||J d + v||^2 with diagonal terms, corrected once.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "core/run_control.hpp"
#include "linalg/sparse/cholesky.hpp"
#include "linalg/sparse/normal_equations.hpp"
#include "linalg/sparse/ordering.hpp"

namespace dd::linalg {

class SparseLeastSquares {
 public:
  /// Analyses the pattern of J (m x n): normal equations, order of elimination (nested dissection when the unknowns are
  /// a grid, minimum degree else) and fronts.
  explicit SparseLeastSquares(const SparsePattern& j, const GridLayout* grid = nullptr, std::size_t threads = 1);

  /// Forms and factors J^T J plus `terms`. Status and errors: see SparseCholesky::factor and NormalEquations::compute.
  [[nodiscard]] FactorResult factor(SparseView j, const DiagonalTerms& terms, RunControl& control);

  /// d := the minimiser of ||J d + residual||^2 + d^T T d, T being the diagonal terms of the last `factor`. J must hold
  /// the values it had then. Unknowns with an empty column of J keep d = 0.
  /// The corrected semi-normal equations: `corrections` times the gradient J^T (J d + v) + T d is formed anew in double
  /// precision and solved for. One is enough while cond(J) < 1e7 or so.
  /// Source: Bjorck, Linear Algebra Appl. 88/89, 1987.
  void solve(SparseView j, std::span<const double> residual, std::span<double> d, std::size_t corrections = 1,
             std::size_t threads = 1) const;

  const NormalEquations& normal_equations() const noexcept { return normal_; }
  const SparseCholesky& cholesky() const noexcept { return cholesky_; }
  const SparseCholeskyAnalysis& analysis() const noexcept { return *analysis_; }

 private:
  NormalEquations normal_;
  std::shared_ptr<const SparseCholeskyAnalysis> analysis_;
  SparseCholesky cholesky_;
};

}  // namespace dd::linalg
