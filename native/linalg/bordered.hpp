// Symmetric systems with a large part that has a solver of its own and a small dense border: grid unknowns, and the
// parameters or network weights that touch all of them.
#pragma once

#include <cstddef>
#include <span>

#include "core/aligned_buffer.hpp"
#include "core/function_ref.hpp"
#include "core/matrix_view.hpp"

namespace dd::linalg {

/// [A B; B^T C] [x; y] = [f; g] with A (n x n) and the Schur complement S = C - B^T A^-1 B (p x p) positive definite.
class BorderedSystem {
 public:
  /// Overwrites a matrix of n rows by A^-1 times it.
  using GridSolve = FunctionRef<void(MatrixView<double>)>;

  /// b: n x p; c: p x p, of which the lower triangle is read; both are copied. Solves for all p columns of B at once
  /// and factors S. Throws ERR_SHAPE_MISMATCH. Cost: p solves with A and n p^2 operations.
  BorderedSystem(GridSolve solve_grid, MatrixView<const double> b, MatrixView<const double> c, std::size_t threads = 1);

  /// 0, or the 1-based border unknown whose pivot in S is not positive: the parameters are not determined, damp C.
  std::size_t bad_pivot() const noexcept { return bad_pivot_; }

  /// f and g become x and y. Throws ERR_SHAPE_MISMATCH, ERR_SINGULAR when bad_pivot() is not 0.
  /// Cost: one solve with A and 2 n p operations.
  void solve(GridSolve solve_grid, std::span<double> f, std::span<double> g) const;

  /// Column-major n x p: A^-1 B; and p x p, lower triangle: the Cholesky factor of S.
  MatrixView<const double> grid_response() const noexcept {
    return MatrixView<const double>::column_major(response_.data(), n_, p_);
  }
  MatrixView<const double> schur_factor() const noexcept {
    return MatrixView<const double>::column_major(schur_.data(), p_, p_);
  }

 private:
  std::size_t n_, p_, threads_;
  AlignedBuffer<double> border_, response_, schur_;
  std::size_t bad_pivot_ = 0;
};

}  // namespace dd::linalg
