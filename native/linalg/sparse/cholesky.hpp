// Sparse Cholesky factorisation P A P^T = L L^T by the multifrontal method, for matrices whose pattern stays while
// their values change.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "core/matrix_view.hpp"
#include "core/run_control.hpp"
#include "linalg/sparse/factor_result.hpp"
#include "linalg/sparse/fronts.hpp"

namespace dd::linalg {

/// What depends on the pattern alone: made once, shared by any number of factors.
class SparseCholeskyAnalysis {
 public:
  /// upper: see SparsePattern; order: of elimination, from nested_dissection or minimum_degree.
  /// Throws what check_pattern and build_fronts throw, ERR_INVALID_ARG_VALUE for an entry below the diagonal.
  SparseCholeskyAnalysis(const SparsePattern& upper, std::span<const Index> order);

  std::size_t unknowns() const noexcept { return tree_.order.size(); }
  /// Of the lower triangle of L, stored zeros included.
  std::size_t factor_entries() const noexcept { return tree_.factor_entries; }
  /// Multiplications of a factorisation; as many additions come with them.
  double flops() const noexcept { return tree_.flops; }
  /// Bytes held by the analysis.
  std::size_t bytes() const noexcept { return tree_.bytes(); }
  /// An upper bound on the bytes that `factor` allocates: ask before, to refuse what does not fit.
  std::size_t factor_bytes(std::size_t threads = 1) const noexcept;

  const FrontTree& tree() const noexcept { return tree_; }

 private:
  FrontTree tree_;
};

class SparseCholesky {
 public:
  explicit SparseCholesky(std::shared_ptr<const SparseCholeskyAnalysis> analysis);

  /// New values, one per entry of the pattern that was analysed. Unknowns whose row and column hold nothing but zeros
  /// (structurally empty columns of J) are left out: their solution is zero.
  /// The same bytes for any number of threads (those of `control`), which polls every few milliseconds.
  /// After anything but `factored` there is no factor, and solving throws.
  /// Throws ERR_SHAPE_MISMATCH, and ERR_NOT_FINITE with the unknowns of a bad entry. Cost: analysis().flops().
  /// Source: Duff and Reid, ACM TOMS 9(3), 1983.
  [[nodiscard]] FactorResult factor(std::span<const double> values, RunControl& control);

  /// B := A^-1 B (n x m, any strides).
  void solve(MatrixView<double> b) const;
  void solve(std::span<double> b) const;
  /// The halves of a solve: b := L^-1 P b, and b := P^T L^-T b, which turns independent standard normal numbers into
  /// a sample with covariance A^-1.
  void solve_factor(std::span<double> b) const;
  void solve_factor_transposed(std::span<double> b) const;

  /// log det A, unknowns that were left out not counted.
  double log_determinant() const;
  bool factored() const noexcept { return factored_; }
  /// Unknowns without any entry, ascending.
  const std::vector<Index>& empty_unknowns() const noexcept { return empty_; }
  const SparseCholeskyAnalysis& analysis() const noexcept { return *analysis_; }
  /// Bytes of factor and stacks.
  std::size_t bytes() const noexcept;
  /// Columns of front f: rows x columns, column-major; the triangle above the diagonal holds nothing of use.
  const double* columns_of(std::size_t f) const noexcept { return values_.data() + analysis_->tree().fronts[f].values; }

 private:
  void expect_factored() const;
  void find_empty(std::span<const double> values);
  void forward(double* x) const;
  void backward(double* x) const;
  void forward(MatrixView<double> x) const;
  void backward(MatrixView<double> x) const;

  std::shared_ptr<const SparseCholeskyAnalysis> analysis_;
  AlignedBuffer<double> values_;
  std::vector<AlignedBuffer<double>> stacks_;
  std::vector<Index> empty_;
  bool factored_ = false;
};

}  // namespace dd::linalg
