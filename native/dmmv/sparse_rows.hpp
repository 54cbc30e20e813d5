// A sparse problem as its search reads it: weighted columns over hard and soft rows together, and the columns of each
// row. Nothing is ever densified.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/run_control.hpp"
#include "dmmv/moves.hpp"
#include "dmmv/problem.hpp"

namespace dd::dmmv {

/// Rows in the order of SearchRows: hard ones, then soft ones.
struct SparseRows {
  std::vector<std::int32_t> pointers, rows;  ///< compressed columns of W A over the soft rows' matrix
  std::vector<double> values;
  std::vector<std::int32_t> row_pointers, columns;  ///< the same by rows
  std::vector<double> row_values;

  std::span<const std::int32_t> columns_of(std::size_t row) const noexcept {
    return std::span(columns).subspan(static_cast<std::size_t>(row_pointers[row]),
                                      static_cast<std::size_t>(row_pointers[row + 1] - row_pointers[row]));
  }
};

/// Whether the search of this problem should keep to its entries: a sparse matrix, less than a quarter full, that is
/// too large for a dictionary of dense moves to be cheap.
bool is_worth_sparse(const Problem& problem) noexcept;

/// Zero entries are left out. Throws out_of_memory (the estimate is checked before anything is allocated).
SparseRows sparse_rows(const Problem& problem, const SearchRows& rows, const RunControl& control);

}  // namespace dd::dmmv
