// General matrix product for every domain.
#pragma once

#include <cstddef>
#include <type_traits>

#include "core/matrix_view.hpp"

namespace dd::linalg {

/// C = alpha A B + beta C.
///
/// a: m x k, b: k x n, c: m x n, any strides; c must not overlap a or b, nor itself. The element type is that of c.
/// beta = 0 does not read c, which may hold NaN; alpha = 0 or k = 0 does not read a and b. Otherwise NaN and infinity
/// go where the formula takes them. threads: 0 means the size of the shared pool; the result is the same in every bit
/// for any number. Throws ERR_SHAPE_MISMATCH, ERR_OUT_OF_RANGE (stride) or ERR_INVALID_ARG_VALUE (c overlaps itself)
/// before any write.
///
/// Cost: 2 m n k operations. Error: |error| <= 2 k eps |A||B| elementwise; an element is one chain of multiply-adds
/// over at most 256 values of k, the chains of longer k added in order (with one column or one row of C and the other
/// operand stored along k: a fixed tree of 128 bytes of lanes). Fastest when c and a, or c and b transposed, are stored
/// alike. Source: Goto and van de Geijn, ACM TOMS 34(3), 2008; unpacked path and bars: docs/benchmarks/linalg.md.
template <class T>
void gemm(std::type_identity_t<T> alpha, MatrixView<const std::type_identity_t<T>> a,
          MatrixView<const std::type_identity_t<T>> b, std::type_identity_t<T> beta, MatrixView<T> c,
          std::size_t threads = 1);

}  // namespace dd::linalg
