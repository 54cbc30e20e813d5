// Triangular solve and in-place triangular product on signed strides, shared by the factorisations.
#pragma once

#include <cstddef>

#include "linalg/strided.hpp"

namespace dd::linalg {

/// X (m x n) = X L^-T in place, L lower n x n with a diagonal known to be good. `dots`: see ProductOptions.
template <class T>
void solve_right_transposed(Strided<const T> l, Strided<T> x, std::size_t threads, bool dots = false);

/// B = alpha B T, T lower; B = alpha T B, T lower. In place.
template <class T>
void multiply_triangular_right(T alpha, Strided<T> b, Strided<const T> t);
template <class T>
void multiply_triangular_left(T alpha, Strided<const T> t, Strided<T> b);

/// 0, or the 1-based index of the first diagonal entry that is zero or not finite.
template <class T>
std::size_t bad_diagonal(Strided<const T> t) noexcept {
  for (std::size_t j = 0; j < t.rows; ++j) {
    const T value = t(j, j);
    if (value == T(0) || value - value != T(0)) return j + 1;
  }
  return 0;
}

}  // namespace dd::linalg
