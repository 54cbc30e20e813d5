// The slow truth: each routine from its formula, scalar float64, nothing clever. Tests and `doctor` compare with it.
#pragma once

#include <cstddef>
#include <span>

#include "core/matrix_view.hpp"

namespace dd::linalg::reference {

/// c = alpha a b + beta c; beta = 0 does not read c.
void gemm(double alpha, MatrixView<const double> a, MatrixView<const double> b, double beta, MatrixView<double> c);
/// Lower triangle of c = alpha a a^T + beta c.
void syrk_lower(double alpha, MatrixView<const double> a, double beta, MatrixView<double> c);
/// Lower triangle of a becomes L; returns 0 or the 1-based pivot that is not positive.
std::size_t cholesky_lower(MatrixView<double> a);
/// b = l^-1 b, l lower; and b = u^-1 b, u upper.
void solve_lower(MatrixView<const double> l, MatrixView<double> b);
void solve_upper(MatrixView<const double> u, MatrixView<double> b);
/// Lower triangle of l becomes that of its inverse.
void invert_lower(MatrixView<double> l);
/// z_k = ceil((t_k - sum over j > k of R_kj z_j) / R_kk - 1/2), from the last k on; R column-major.
void nearest_plane(std::span<const double> triangle, std::span<const double> target, std::span<double> z);

}  // namespace dd::linalg::reference
