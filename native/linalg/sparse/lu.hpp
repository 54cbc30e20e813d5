// LU of square sparse matrices, for well-posed forward problems: the least-squares solution is the solution, without
// the squared condition number and the fill of J^T J.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/run_control.hpp"
#include "linalg/sparse/block_triangular.hpp"
#include "linalg/sparse/factor_result.hpp"
#include "linalg/sparse/lu_block.hpp"
#include "linalg/sparse/matrix.hpp"

namespace dd::linalg {

struct LuOptions {
  /// The diagonal is the pivot while it is at least this share of the largest entry that could be.
  double pivot_threshold = 0.1;
  /// Steps of iterative refinement at most; it ends before when the backward error no longer halves.
  std::size_t refinements = 2;
};

class SparseLu {
 public:
  /// Analyses a pattern: block triangular form, and an order inside blocks of more than one unknown. Throws what
  /// block_triangular_form throws (ERR_SINGULAR with a row when the pattern is structurally singular).
  explicit SparseLu(const SparsePattern& a, const LuOptions& options = {});

  /// Only diagonal blocks are factored; blocks of one unknown are divisions. `values` are those of the pattern analysed
  /// and are copied, for refinement. After anything but `factored` there is no factor, and solving throws.
  /// Throws ERR_SHAPE_MISMATCH and ERR_NOT_FINITE with row and column.
  [[nodiscard]] FactorResult factor(SparseView a, RunControl& control);

  /// b := A^-1 b and b := A^-T b, refined.
  void solve(std::span<double> b) const;
  void solve_transposed(std::span<double> b) const;

  std::size_t blocks() const noexcept { return form_.blocks(); }
  std::size_t largest_block() const noexcept;
  /// Of L and U of all blocks; entries between blocks stay those of the matrix.
  std::size_t factor_entries() const noexcept;
  std::size_t bytes() const noexcept;
  /// What L and U will take, known before they are: an estimate, pivots off the diagonal change it.
  std::size_t expected_factor_bytes() const noexcept;

 private:
  void expect_factored() const;
  template <class Solve, class Residual>
  void refine(std::span<double> b, Solve solve_step, Residual find_residual) const;
  void substitute(std::span<double> x) const;
  void substitute_transposed(std::span<double> x) const;

  LuOptions options_;
  BlockTriangularForm form_;
  SparsePattern pattern_;  // of the matrix as given
  // Row k of the arranged matrix left of its block: columns by their new index, and the entry of the matrix.
  std::vector<std::size_t> left_starts_;
  LargeVector<Index> left_columns_, left_entries_;
  std::vector<Index> single_entry_;  // of a block of one unknown: the entry of the matrix, at its new index
  std::vector<Index> block_number_;  // per block: its place in large_, or no_index for one unknown
  std::vector<LuBlock> large_;
  LargeVector<double> values_;
  bool factored_ = false;
};

}  // namespace dd::linalg
