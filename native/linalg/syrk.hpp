// Symmetric rank-k update: Gram matrices and Hessians X^T X at half the operations of a general product.
#pragma once

#include <cstddef>
#include <type_traits>

#include "core/matrix_view.hpp"
#include "linalg/types.hpp"

namespace dd::linalg {

/// The `triangle` of C = alpha A A^T + beta C; the other triangle is neither read nor written (see mirror_triangle).
///
/// a: n x k, c: n x n, any strides; c must not overlap a. For X^T X with X samples x n pass `x.transposed()`.
/// beta = 0 does not read c. threads: 0 means the size of the shared pool; same bits for any number.
/// Throws ERR_SHAPE_MISMATCH, ERR_OUT_OF_RANGE or ERR_INVALID_ARG_VALUE before any write.
/// Cost: n^2 k operations. Rounding as in gemm; the result equals the triangle of gemm(a, a^T) in every bit.
template <class T>
void syrk(std::type_identity_t<T> alpha, MatrixView<const std::type_identity_t<T>> a, std::type_identity_t<T> beta,
          MatrixView<T> c, Triangle triangle = Triangle::lower, std::size_t threads = 1);

/// The same with float32 input added up in float64: chains of at most 512 samples in float32, whose sums are added to
/// the float64 C. At most 15 % slower than float32 alone, and the sum over many calls does not lose what one call has.
/// Blocks of samples start anew in every call, so results depend on how samples are split into calls (about 1e-7).
void syrk(double alpha, MatrixView<const float> a, double beta, MatrixView<double> c,
          Triangle triangle = Triangle::lower, std::size_t threads = 1);

/// Samples of such a chain in a call with `samples` of them: calls with that many at a time (the last with the rest)
/// and beta = 1 behind the first give the bits of the one call.
std::size_t syrk_chain(std::size_t samples) noexcept;

}  // namespace dd::linalg
