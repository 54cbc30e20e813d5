// LU of one irreducible diagonal block: the part of SparseLu that pivots.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/run_control.hpp"
#include "linalg/sparse/factor_result.hpp"
#include "linalg/sparse/matrix.hpp"

namespace dd::linalg {

/// P B Q = L U with Q from minimum degree on the pattern of B + B^T and P from threshold partial pivoting that prefers
/// the diagonal. Left-looking, column by column: Gilbert and Peierls, SIAM J. Sci. Stat. Comput. 9(5), 1988.
class LuBlock {
 public:
  /// columns: row j of the pattern holds the rows of column j of the block; source: the entry of the matrix for each.
  LuBlock(SparsePattern columns, std::vector<Index> source);

  std::size_t order() const noexcept { return order_.size(); }
  /// `unknown` of the result counts inside the block.
  FactorResult factor(std::span<const double> values, double threshold, RunControl& control);
  /// x (order() numbers, by rows of the block) becomes the solution (by columns), and the other way round.
  void solve(std::span<double> x) const;
  void solve_transposed(std::span<double> x) const;
  std::size_t factor_entries() const noexcept { return lower_rows_.size() + upper_rows_.size() + pivots_.size(); }
  std::size_t bytes() const noexcept;
  /// Of L and U before anything is factored, as many as diagonal pivots make; others make more or fewer.
  std::size_t expected_entries() const noexcept { return expected_entries_; }

 private:
  class Column;

  SparsePattern columns_;
  std::vector<Index> source_;
  std::size_t expected_entries_ = 0;
  std::vector<Index> order_;      // order_[k]: the column eliminated k-th
  std::vector<Index> pivot_row_;  // pivot_row_[k]: its row
  std::vector<double> pivots_;
  std::vector<std::size_t> lower_starts_, upper_starts_;
  LargeVector<Index> lower_rows_, upper_rows_;  // in the order of elimination
  LargeVector<double> lower_values_, upper_values_;
};

}  // namespace dd::linalg
