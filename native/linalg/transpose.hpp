// Copies between storage orders.
#pragma once

#include <cstddef>
#include <type_traits>

#include "core/matrix_view.hpp"
#include "linalg/types.hpp"

namespace dd::linalg {

/// to = from, any strides on both sides, no overlap: between row-major and column-major views it is the transposing
/// copy (squares turned in registers). A destination whose leading dimension is a power of two costs 3 to 10 times
/// more than one a cache line longer. threads: 0 means the size of the shared pool.
/// Throws ERR_SHAPE_MISMATCH, ERR_OUT_OF_RANGE or ERR_INVALID_ARG_VALUE before any write.
template <class T>
void copy_matrix(MatrixView<const std::type_identity_t<T>> from, MatrixView<T> to, std::size_t threads = 1);

/// to (columns x rows) = from^T (rows x columns). Otherwise as copy_matrix.
template <class T>
void transpose(MatrixView<const std::type_identity_t<T>> from, MatrixView<T> to, std::size_t threads = 1);

/// Copies the triangle `from` of c (n x n) onto the other one, which makes c symmetric.
template <class T>
void mirror_triangle(Triangle from, MatrixView<T> c, std::size_t threads = 1);

}  // namespace dd::linalg
