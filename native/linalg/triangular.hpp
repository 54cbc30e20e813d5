// Triangular systems and inverses.
#pragma once

#include <cstddef>
#include <type_traits>

#include "core/matrix_view.hpp"
#include "linalg/types.hpp"

namespace dd::linalg {

/// Overwrites B with the solution X of T X = B (left) or X T = B (right), T triangular.
///
/// t: n x n, of which only `triangle` is read; for a transposed system pass `t.transposed()` and `other(triangle)`.
/// b: n x m (left) or m x n (right), any strides, not overlapping t.
/// Returns 0, or the 1-based index of the first diagonal entry that is zero or not finite; b is then untouched.
/// threads: 0 means the size of the shared pool; same bits for any number. Cost: n^2 m operations.
/// Throws ERR_SHAPE_MISMATCH, ERR_OUT_OF_RANGE or ERR_INVALID_ARG_VALUE before any write.
/// Backward stable: (T + E) x = b with |E| <= c n eps |T| for each right-hand side (Higham, Accuracy and Stability of
/// Numerical Algorithms, 2nd ed., theorem 8.5; a product with 1 / t_jj stands for the division).
template <class T>
[[nodiscard]] std::size_t solve_triangular(Side side, Triangle triangle, MatrixView<const std::type_identity_t<T>> t,
                                           MatrixView<T> b, std::size_t threads = 1);

/// Overwrites the `triangle` of t (n x n) with the inverse of that triangular matrix; the other triangle is not
/// touched.
///
/// Returns 0, or the 1-based index of the first diagonal entry that is zero or not finite; t is then untouched.
/// threads as above. Cost: n^3 / 3 operations. Errors as above.
/// Residual: |T^-1 T - I| <= c n eps |T^-1| |T|. Prefer solve_triangular where only a solution is wanted.
template <class T>
[[nodiscard]] std::size_t invert_triangular(Triangle triangle, MatrixView<T> t, std::size_t threads = 1);

}  // namespace dd::linalg
