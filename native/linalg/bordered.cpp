// Block elimination: S y = g - B^T A^-1 f, x = A^-1 f - A^-1 B y.
#include "linalg/bordered.hpp"

#include <string>

#include "core/error.hpp"
#include "linalg/cholesky.hpp"
#include "linalg/gemm.hpp"
#include "linalg/strided.hpp"

namespace dd::linalg {

BorderedSystem::BorderedSystem(GridSolve solve_grid, MatrixView<const double> b, MatrixView<const double> c,
                               std::size_t threads)
    : n_(b.rows),
      p_(b.columns),
      threads_(threads),
      border_(b.rows * b.columns),
      response_(b.rows * b.columns),
      schur_(b.columns * b.columns) {
  checked(b, "b");
  checked(c, "c");
  expect_shape("c", c.rows, c.columns, p_, p_);
  const auto border = MatrixView<double>::column_major(border_.data(), n_, p_);
  const auto response = MatrixView<double>::column_major(response_.data(), n_, p_);
  const auto schur = MatrixView<double>::column_major(schur_.data(), p_, p_);
  for (std::size_t j = 0; j < p_; ++j) {
    for (std::size_t i = 0; i < n_; ++i) border(i, j) = response(i, j) = b(i, j);
    for (std::size_t i = 0; i < p_; ++i) schur(i, j) = i < j ? c(j, i) : c(i, j);
  }
  if (p_ == 0) return;
  solve_grid(response);
  gemm<double>(-1.0, border.transposed(), response, 1.0, schur, threads_);
  bad_pivot_ = cholesky<double>(schur, Triangle::lower, threads_);
}

void BorderedSystem::solve(GridSolve solve_grid, std::span<double> f, std::span<double> g) const {
  expect_shape("f", f.size(), 1, n_, 1);
  expect_shape("g", g.size(), 1, p_, 1);
  if (bad_pivot_ != 0) {
    throw Error(ErrorCode::singular, "c",
                "`c` does not determine border unknown " + std::to_string(bad_pivot_ - 1) + ": damp it");
  }
  const auto x = MatrixView<double>::column_major(f.data(), n_, 1);
  solve_grid(x);
  if (p_ == 0) return;
  const auto y = MatrixView<double>::column_major(g.data(), p_, 1);
  const auto border = MatrixView<const double>::column_major(border_.data(), n_, p_);
  gemm<double>(-1.0, border.transposed(), x, 1.0, y, threads_);
  if (cholesky_solve<double>(schur_factor(), y, Triangle::lower, threads_) != 0) {
    throw Error(ErrorCode::internal, "c", "`c` has a factor with a zero pivot");
  }
  gemm<double>(-1.0, grid_response(), y, 1.0, x, threads_);
}

}  // namespace dd::linalg
