// The factor that column-by-column rounding propagates errors with: U of U^T U = H^-1, without inverting H.
#pragma once

#include <cstddef>
#include <span>

#include "core/aligned_buffer.hpp"

namespace dd::linalg {

/// U (n x n, row-major, upper triangle of U^T U = H^-1, zeros below) into `factor` (n^2 elements, rounded to float32).
///
/// matrix: H, n x n, symmetric, both triangles, n > 0. One Cholesky factorisation in T of the matrix with rows and
/// columns reversed, J H J = L L^T, and U = J L^-1 J: half the operations of inverting and factoring again.
/// False when H is not positive definite in T, or the factor leaves float32; `factor` is then unspecified.
/// threads: 0 means the size of the shared pool; same bits for any number. Cost: 2/3 n^3.
template <class T>
[[nodiscard]] bool inverse_factor(std::span<const double> matrix, std::size_t n, AlignedBuffer<float>& factor,
                                  std::size_t threads = 1);

}  // namespace dd::linalg
