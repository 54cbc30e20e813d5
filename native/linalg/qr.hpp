// Rank-revealing QR of small dense matrices, for least-squares problems whose rank is in doubt.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "core/matrix_view.hpp"

namespace dd::linalg {

/// A P = Q R by Householder reflections with column pivoting, and where the rank is short R = [T 0] Z, so that the
/// least-squares solution of smallest norm is one pair of substitutions.
/// Source: Golub and Van Loan, Matrix Computations, 4th ed., algorithm 5.4.1 and section 5.4.7.
class RankRevealingQr {
 public:
  /// a: m x n, any strides, copied. Columns whose remaining norm is at most tolerance times the largest column norm
  /// count as dependent; tolerance 0 means max(m, n) eps. Throws ERR_NOT_FINITE with row and column, ERR_OUT_OF_RANGE
  /// (tolerance). Cost: 2 m n r operations.
  explicit RankRevealingQr(MatrixView<const double> a, double tolerance = 0);

  std::size_t rank() const noexcept { return rank_; }
  /// The x of smallest norm among those that minimise ||A x - b||. Throws ERR_SHAPE_MISMATCH, ERR_NOT_FINITE.
  std::vector<double> solve(std::span<const double> b) const;
  /// Diagonal of R, largest first.
  std::span<const double> diagonal() const noexcept { return diagonal_; }
  /// order()[k]: the column that came k-th.
  const std::vector<std::size_t>& order() const noexcept { return order_; }

 private:
  void compress();

  std::size_t rows_, columns_, rank_ = 0;
  // Reflections of Q below the diagonal (first element 1 not stored), R above it, column-major; after `compress` row i
  // of R right of the rank holds the reflection of Z that cleared it.
  AlignedBuffer<double> values_;
  std::vector<double> left_scale_, right_scale_, diagonal_;
  std::vector<std::size_t> order_;
};

}  // namespace dd::linalg
