// Composition of normal equations, order, factor and correction.
#include "linalg/sparse/least_squares.hpp"

#include <algorithm>
#include <vector>

namespace dd::linalg {

SparseLeastSquares::SparseLeastSquares(const SparsePattern& j, const GridLayout* grid, std::size_t threads)
    : normal_(j, threads),
      analysis_(std::make_shared<const SparseCholeskyAnalysis>(
          normal_.pattern(),
          grid != nullptr ? nested_dissection(normal_.pattern(), *grid) : minimum_degree(normal_.pattern()))),
      cholesky_(analysis_) {}

FactorResult SparseLeastSquares::factor(SparseView j, const DiagonalTerms& terms, RunControl& control) {
  normal_.compute(j, terms, control.threads());
  return cholesky_.factor(normal_.values(), control);
}

void SparseLeastSquares::solve(SparseView j, std::span<const double> residual, std::span<double> d,
                               std::size_t corrections, std::size_t threads) const {
  const std::size_t n = normal_.unknowns();
  expect_length("residual", residual.size(), j.pattern.rows);
  expect_length("d", d.size(), n);
  expect_finite(residual, "residual");
  std::vector<double> gradient(n), remaining(residual.begin(), residual.end());
  std::fill(d.begin(), d.end(), 0.0);
  const std::span<const double> added = normal_.added_diagonal();
  for (std::size_t pass = 0; pass <= corrections; ++pass) {
    if (pass > 0) {
      multiply(j, d, remaining, threads);
      for (std::size_t i = 0; i < remaining.size(); ++i) remaining[i] += residual[i];
    }
    multiply_transposed(j, normal_.transposed(), remaining, gradient, threads);
    for (std::size_t u = 0; u < n; ++u) gradient[u] += added[u] * d[u];
    cholesky_.solve(gradient);
    for (std::size_t u = 0; u < n; ++u) d[u] -= gradient[u];
  }
}

}  // namespace dd::linalg
