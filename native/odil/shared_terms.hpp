// Sums in which one expression occurs at several points of the contiguous axis, as a flux does at both faces of a cell:
// its derivative is then taken once for all of them. Source: specs/odil-engine.md, section 2.3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "odil/expression.hpp"

namespace dd::odil {

/// sum over uses of `factor` times the term at the point moved by `shift` along the axis.
struct SharedTerm {
  struct Use {
    std::int32_t shift = 0;
    double factor = 1;
  };
  NodeId term = 0;  ///< the first point along the axis at which it reads a field is its own
  std::vector<Use> uses;
};

struct SplitSum {
  std::vector<SharedTerm> shared;  ///< at least two uses each
  NodeId rest = 0;
};

/// Splits `root`, which must hold no where_index, into its shared terms and the rest; all of it is the rest where
/// nothing is shared. `fields`: operands with smaller numbers are fields. Cost: linear in the nodes below `root`, for
/// each of its summands.
SplitSum split_shared_terms(Graph& graph, NodeId root, std::size_t axis, std::size_t fields);

}  // namespace dd::odil
