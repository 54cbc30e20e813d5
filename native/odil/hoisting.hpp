// Parts of expressions that do not change with time, such as coefficients made of images and parameters: evaluated once
// for all rows of time instead of again in each.
#pragma once

#include <span>
#include <vector>

#include "odil/regions.hpp"

namespace dd::odil {

/// The same in all rows of a stretch: reads no unknown field and nothing that changes with time.
bool constant_in_time(const Graph& graph, const Domain& domain, std::size_t fields, NodeId root);

struct Hoisted {
  std::vector<NodeId> roots;        ///< as given, with accesses in the place of what has been taken out
  std::vector<NodeId> expressions;  ///< number k is read as operand `first_operand` + k, at the point itself
};

/// Takes the largest such parts out of `roots`, except where reading them costs as much as evaluating them. `fields`:
/// how many of the domain's first operands are unknown. The expressions must hold no where_index.
Hoisted hoist(Graph& graph, const Domain& domain, std::size_t fields, std::span<const NodeId> roots,
              std::size_t first_operand);

}  // namespace dd::odil
