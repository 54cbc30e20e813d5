// Exact derivatives of expressions, as expressions of the same graph.
#pragma once

#include <span>
#include <vector>

#include "odil/expression.hpp"

namespace dd::odil {

/// What `root` depends on and derivatives are asked for: accesses to the first `fields` operands, and parameters.
std::vector<NodeId> unknown_leaves(const Graph& graph, NodeId root, std::size_t fields);

/// d root / d leaf times the seed, for one leaf (an access or a parameter).
struct Adjoint {
  NodeId leaf = 0;
  NodeId value = 0;
};

/// Local reverse mode: one entry per distinct leaf that `wanted` accepts (a mask over the graph) and on which `root`
/// depends, in the order of the leaves' numbers. `seed` multiplies everything: 1 gives derivatives, an access to an
/// array gives the terms of a transposed product. Cost: a small multiple of the nodes below `root`, whatever the
/// number of leaves. Conventions: minimum, maximum and select_less send the derivative to the branch that is taken
/// (ties: minimum and maximum to the first argument), |x| has the derivative 0 at 0, freeze stops it. A branch that is
/// not taken contributes nothing even where its own derivative is not finite.
/// Source: specs/odil-engine.md, section 2.1.
std::vector<Adjoint> reverse(Graph& graph, NodeId root, NodeId seed, std::span<const NodeId> wanted);

/// Forward mode: the change of `root` per unit of each wanted leaf's direction: sum_k d root / d leaf_k direction_k.
NodeId tangent(Graph& graph, NodeId root, std::span<const NodeId> leaves, std::span<const NodeId> directions);

}  // namespace dd::odil
