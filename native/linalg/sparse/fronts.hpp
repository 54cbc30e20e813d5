// The symbolic half of the multifrontal method: which columns of the factor are computed together as one dense front,
// which rows each front has, and where everything goes. Made once per pattern.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "linalg/sparse/matrix.hpp"

namespace dd::linalg {

/// A front holds `columns` consecutive columns of the factor on `rows` rows, its own columns being the first of them.
/// Its values are a column-major rows x columns matrix; what it leaves to its parent is a square of the other rows.
struct Front {
  std::size_t values = 0;    // where its columns begin in the factor
  std::size_t row_list = 0;  // where its rows begin in FrontTree::rows
  std::size_t entries = 0;   // where its entries begin in FrontTree::entry_source and entry_target
  Index first = 0;           // its first column, in the order of elimination
  Index columns = 0;
  Index rows = 0;
  Index parent = no_index;
  bool odd_depth = false;  // distance to the root: its square lies at this end of the stack

  std::size_t below() const noexcept { return rows - columns; }
};

/// A subtree that is factored by one thread: fronts [first, last], `last` being its root.
struct FrontTask {
  Index first = 0;
  Index last = 0;
  std::size_t stack = 0;  // doubles of stack that it needs
};

struct FrontTree {
  std::vector<Index> order;    // order[k]: the unknown eliminated k-th
  std::vector<Index> inverse;  // inverse[unknown] = k
  std::vector<Front> fronts;   // children before parents, and one last front that is only an end
  LargeVector<Index> rows;     // of all fronts, ascending in each
  LargeVector<Index> places;   // aligned with rows: the place of a row below among the rows of the parent
  std::vector<Index> child_starts, children;
  // The matrix entry entry_source[e] goes to element entry_target[e] of its front's columns.
  LargeVector<Index> entry_source, entry_target;
  std::vector<Index> diagonal;     // diagonal[k]: the matrix entry on the diagonal, no_index where there is none
  std::vector<FrontTask> tasks;    // disjoint subtrees; fronts outside of them are factored after them
  std::size_t stack = 0;           // doubles of stack for the whole tree by one thread
  std::size_t top_stack = 0;       // and for the fronts outside tasks alone
  std::size_t factor_entries = 0;  // of the lower triangle, the zeros that merging fronts stores included
  std::size_t entries = 0;         // of the matrix that was analysed
  double flops = 0;

  std::size_t count() const noexcept { return fronts.size() - 1; }
  std::span<const Index> rows_of(const Front& front) const noexcept {
    return {rows.data() + front.row_list, front.rows};
  }
  std::span<const Index> places_below(const Front& front) const noexcept {
    return {places.data() + front.row_list + front.columns, front.below()};
  }
  std::span<const Index> children_of(std::size_t front) const noexcept {
    return {children.data() + child_starts[front], children.data() + child_starts[front + 1]};
  }
  /// Doubles that the columns of all fronts take.
  std::size_t value_count() const noexcept { return fronts.back().values; }
  std::size_t bytes() const noexcept;
};

/// Doubles that the square of a front takes on the stack: whole cache lines.
constexpr std::size_t square_doubles(std::size_t order) noexcept { return (order * order + 7) / 8 * 8; }

/// Throws ERR_INVALID_ARG_VALUE when `order` is not a permutation, ERR_OUT_OF_RANGE when a front would have 2^32
/// elements. Cost: a few passes over the entries of the pattern and of the fronts' row lists.
FrontTree build_fronts(const SparsePattern& upper, std::span<const Index> order);

}  // namespace dd::linalg
