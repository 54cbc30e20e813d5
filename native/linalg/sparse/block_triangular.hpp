// Rows and columns of a square sparse matrix arranged so that it is block lower triangular with the smallest possible
// diagonal blocks: what marches in time falls apart into one block per unknown.
#pragma once

#include <vector>

#include "linalg/sparse/matrix.hpp"

namespace dd::linalg {

struct BlockTriangularForm {
  /// Row rows[k] and column columns[k] of the matrix are k-th; every place (rows[k], columns[k]) holds an entry, and
  /// row k has no entry right of the block that holds k.
  std::vector<Index> rows, columns;
  std::vector<Index> starts;  // first index of each block, and the end

  std::size_t blocks() const noexcept { return starts.size() - 1; }
};

/// A maximum transversal by augmenting paths (the diagonal is tried first), then strongly connected components.
/// Throws ERR_SHAPE_MISMATCH, and ERR_SINGULAR with a row that no transversal reaches.
/// Cost: nearly linear in practice, at most n times the number of entries.
/// Source: Duff, ACM TOMS 7(3), 1981; Tarjan, SIAM J. Comput. 1(2), 1972.
BlockTriangularForm block_triangular_form(const SparsePattern& a);

}  // namespace dd::linalg
