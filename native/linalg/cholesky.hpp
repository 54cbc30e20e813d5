// Cholesky factorisation of symmetric positive definite matrices.
#pragma once

#include <cstddef>
#include <type_traits>

#include "core/matrix_view.hpp"
#include "linalg/types.hpp"

namespace dd::linalg {

/// Overwrites the `triangle` of a (n x n) with L of A = L L^T (lower) or U of A = U^T U (upper); the other triangle is
/// not written.
///
/// Returns 0, or the 1-based index of the first pivot that is not positive or not finite; the leading part before it
/// then holds its factor, the rest is unspecified.
/// threads: 0 means the size of the shared pool; same bits for any number. Fastest with unit row stride (lower) or unit
/// column stride (upper); other strides go through scratch of n^2 elements.
/// Throws ERR_SHAPE_MISMATCH, ERR_OUT_OF_RANGE or ERR_INVALID_ARG_VALUE before any write.
/// Cost: n^3 / 3 operations. Backward error |A - L L^T| <= 8 n eps max |A|.
/// Source: right-looking blocks (Golub and Van Loan, Matrix Computations, 4th ed., algorithm 4.2.4) of 96 columns.
template <class T>
[[nodiscard]] std::size_t cholesky(MatrixView<T> a, Triangle triangle = Triangle::lower, std::size_t threads = 1);

/// Overwrites b (n x m) with the solution of A X = B, `factor` and `triangle` being those of `cholesky`.
/// Returns 0 or the 1-based index of a bad diagonal entry (b untouched). Threads, errors, cost: two triangular solves.
template <class T>
[[nodiscard]] std::size_t cholesky_solve(MatrixView<const std::type_identity_t<T>> factor, MatrixView<T> b,
                                         Triangle triangle = Triangle::lower, std::size_t threads = 1);

}  // namespace dd::linalg
