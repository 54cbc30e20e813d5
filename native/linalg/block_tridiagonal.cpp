// L_tt L_tt^T = D_t - M_t M_t^T with M_t = A_(t, t-1) L_(t-1, t-1)^-T, by the dense kernels.
#include "linalg/block_tridiagonal.hpp"

#include <cmath>
#include <string>

#include "core/error.hpp"
#include "linalg/cholesky.hpp"
#include "linalg/gemm.hpp"
#include "linalg/syrk.hpp"
#include "linalg/triangular.hpp"

namespace dd::linalg {
namespace {

std::size_t value_count(std::size_t blocks, std::size_t order) {
  if (static_cast<double>(blocks) * static_cast<double>(order) * static_cast<double>(order) > 0x1p58) {
    throw Error(
        ErrorCode::out_of_range, "blocks",
        "`blocks` of that order cannot be addressed: " + std::to_string(blocks) + " of order " + std::to_string(order));
  }
  return blocks == 0 ? 0 : (2 * blocks - 1) * order * order;
}

}  // namespace

BlockTridiagonalCholesky::BlockTridiagonalCholesky(std::size_t blocks, std::size_t order)
    : blocks_(blocks), order_(order), values_(value_count(blocks, order), 0.0) {}

BlockTridiagonalCholesky::Result BlockTridiagonalCholesky::factor(RunControl& control) {
  factored_ = false;
  for (std::size_t t = 0; t < blocks_; ++t) {
    if (control.should_stop()) return {Status::stopped, 0};
    if (t > 0) syrk<double>(-1.0, below(t - 1), 1.0, diagonal(t), Triangle::lower, control.threads());
    if (const std::size_t pivot = cholesky<double>(diagonal(t), Triangle::lower, control.threads())) {
      return {Status::not_positive_definite, t * order_ + pivot - 1};
    }
    if (t + 1 == blocks_) break;
    if (solve_triangular<double>(Side::right, Triangle::upper, diagonal(t).transposed(), below(t), control.threads()) !=
        0) {
      throw Error(ErrorCode::internal, "factor", "`factor` has a pivot that is not positive");
    }
  }
  factored_ = true;
  return {};
}

void BlockTridiagonalCholesky::solve(std::span<double> b) const {
  expect_factored();
  if (b.size() != blocks_ * order_) {
    throw Error(
        ErrorCode::shape_mismatch, "b",
        "`b` must have length " + std::to_string(blocks_ * order_) + ", got length " + std::to_string(b.size()));
  }
  const auto level = [&](std::size_t t) { return MatrixView<double>::column_major(b.data() + t * order_, order_, 1); };
  std::size_t failed = 0;
  for (std::size_t t = 0; t < blocks_; ++t) {
    if (t > 0) gemm<double>(-1.0, view(2 * t - 1), level(t - 1), 1.0, level(t));
    failed |= solve_triangular<double>(Side::left, Triangle::lower, view(2 * t), level(t));
  }
  for (std::size_t t = blocks_; t-- > 0;) {
    if (t + 1 < blocks_) gemm<double>(-1.0, view(2 * t + 1).transposed(), level(t + 1), 1.0, level(t));
    failed |= solve_triangular<double>(Side::left, Triangle::upper, view(2 * t).transposed(), level(t));
  }
  if (failed != 0) throw Error(ErrorCode::internal, "factor", "`factor` has a pivot that is not positive");
}

double BlockTridiagonalCholesky::log_determinant() const {
  expect_factored();
  double sum = 0;
  for (std::size_t t = 0; t < blocks_; ++t) {
    for (std::size_t i = 0; i < order_; ++i) sum += std::log(view(2 * t)(i, i));
  }
  return 2 * sum;
}

void BlockTridiagonalCholesky::expect_factored() const {
  if (!factored_) throw Error(ErrorCode::invalid_argument_value, "factor", "`factor` must have succeeded before");
}

}  // namespace dd::linalg
