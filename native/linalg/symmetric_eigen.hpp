// Eigenvalues and eigenvectors of a dense symmetric matrix, for sizes where a few n^3 are affordable.
#pragma once

#include <cstddef>
#include <span>

namespace dd::linalg {

/// A = sum_i values[i] v_i v_i^T with orthonormal v_i = row i of `vectors` and ascending values. a: n x n, row-major,
/// finite, only its lower triangle is read. values: n. vectors: n x n, row-major; may not overlap `a`.
/// Householder tridiagonalisation and implicit QR steps with Wilkinson's shift (Golub, Van Loan: Matrix Computations,
/// Sections 8.3.1 and 8.3.3). One thread, the same bits every time. Cost: about 9 n^3 operations.
void symmetric_eigen(std::span<const double> a, std::size_t n, std::span<double> values, std::span<double> vectors);

}  // namespace dd::linalg
