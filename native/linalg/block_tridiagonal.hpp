// Cholesky factorisation of block-tridiagonal matrices: the normal equations of a one-step scheme in time, one dense
// block per time level.
#pragma once

#include <cstddef>
#include <span>

#include "core/aligned_buffer.hpp"
#include "core/matrix_view.hpp"
#include "core/run_control.hpp"

namespace dd::linalg {

class BlockTridiagonalCholesky {
 public:
  /// `blocks` diagonal blocks of order `order`. Throws ERR_OUT_OF_RANGE when the memory could not be addressed.
  BlockTridiagonalCholesky(std::size_t blocks, std::size_t order);

  /// The block on the diagonal of level t (lower triangle is read) and the one below it, A_(t+1, t), for filling in
  /// before every `factor`, which overwrites them.
  MatrixView<double> diagonal(std::size_t t) noexcept { return view(2 * t); }
  MatrixView<double> below(std::size_t t) noexcept { return view(2 * t + 1); }

  enum class Status : unsigned char { factored, stopped, not_positive_definite };
  struct Result {
    Status status = Status::factored;
    std::size_t unknown = 0;  // not_positive_definite: the unknown with a pivot that is not positive or not finite
  };
  /// The same bytes for any number of threads. Cost: about 7/3 blocks order^3 operations.
  [[nodiscard]] Result factor(RunControl& control);

  /// b (blocks x order numbers, level by level) := A^-1 b. Throws ERR_SHAPE_MISMATCH, ERR_INVALID_ARG_VALUE before
  /// a successful `factor`.
  void solve(std::span<double> b) const;
  double log_determinant() const;
  std::size_t bytes() const noexcept { return values_.size() * sizeof(double); }

 private:
  MatrixView<double> view(std::size_t k) noexcept {
    return MatrixView<double>::column_major(values_.data() + k * order_ * order_, order_, order_);
  }
  MatrixView<const double> view(std::size_t k) const noexcept {
    return MatrixView<const double>::column_major(values_.data() + k * order_ * order_, order_, order_);
  }
  void expect_factored() const;

  std::size_t blocks_, order_;
  AlignedBuffer<double> values_;
  bool factored_ = false;
};

}  // namespace dd::linalg
