// The residuals of odil's benchmark as somebody would write them by hand for this machine: what the compiled programs
// are measured against.
#pragma once

#include <cstddef>

namespace dd::bench::hand {

/// Heat on rows x cells of the unit square, conductivity exp(-20 (u - 1/2)^2) / 50, zero walls; `first` is the initial
/// temperature. Both faces of a cell are computed for it, as the residual is written.
void heat_two_faces(const double* u, const double* first, double* residual, std::size_t rows, std::size_t cells);
/// Each face is computed once and used by both of its cells.
void heat_one_face(const double* u, const double* first, double* residual, std::size_t rows, std::size_t cells);
/// Leapfrog with zero walls, at rest before the first row, which is `first`.
void wave(const double* u, const double* first, double* residual, std::size_t rows, std::size_t cells);
/// Seven points on cells^3 with zero walls; `q` is the right-hand side.
void poisson(const double* u, const double* q, double* residual, std::size_t cells);

}  // namespace dd::bench::hand
