// The elimination tree of a symmetric pattern and what follows from it without the factor being formed.
#pragma once

#include <span>
#include <vector>

#include "linalg/sparse/matrix.hpp"

namespace dd::linalg {

/// parents[j] is the row of the first entry below the diagonal in column j of the factor, no_index for a root.
/// `earlier`: row j holds the columns i < j of the matrix, in any order. Source: Liu, ACM TOMS 12(2), 1986.
std::vector<Index> elimination_tree(const SparsePattern& earlier);

/// order[k] is the k-th vertex when every vertex comes right after its descendants, children in ascending order.
std::vector<Index> postorder(const std::vector<Index>& parents);

/// Entries in each column of the factor, diagonal included. The tree must be in postorder; row j of `later` holds the
/// rows i > j of the matrix. Nearly linear in the entries. Source: Gilbert, Ng and Peyton, SIAM J. Matrix Anal. Appl.
/// 15(4), 1994.
std::vector<Index> column_counts(const SparsePattern& later, const std::vector<Index>& parents);

/// Pairs (smaller, larger) in the order of elimination, listed by one end.
enum class ListBy : bool { smaller, larger };

/// The entries of an upper triangle as such pairs, without the diagonal; with `source`, the diagonal too and for each
/// pair the number of its entry. `inverse[i]`: when unknown i is eliminated.
SparsePattern list_pairs(const SparsePattern& upper, const std::vector<Index>& inverse, ListBy by,
                         LargeVector<Index>* source);

/// Throws ERR_INVALID_ARG_VALUE where `order` is no permutation.
std::vector<Index> inverted(std::span<const Index> order);

/// order[k] := order[by[k]].
std::vector<Index> reordered(std::span<const Index> order, const std::vector<Index>& by);

/// An order with the same fill whose tree is in postorder: columns, parents, and entries of each column of the factor.
struct EliminationOrder {
  std::vector<Index> columns, parents, counts;
};
EliminationOrder eliminate_in_postorder(const SparsePattern& upper, std::span<const Index> order);

}  // namespace dd::linalg
