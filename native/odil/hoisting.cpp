#include "odil/hoisting.hpp"

#include <algorithm>

namespace dd::odil {
namespace {

/// Leaves that do not change with time.
bool is_constant_leaf(const Node& node, const Domain& domain, std::size_t fields) {
  if (node.op == Op::index) return node.id != 0;
  if (node.op != Op::access) return false;
  const auto operand = static_cast<std::size_t>(node.id);
  return operand >= fields && domain.operands[operand].shape.repeated > 0;
}

/// A leaf, or a multiple of one: a term of a sum, which costs no instruction.
bool is_cheap(const Graph& graph, NodeId id) {
  const Node& node = graph[id];
  if (arity(node.op) == 0) return true;
  if (node.op != Op::multiply) return false;
  const NodeId a = node.child[0], b = node.child[1];
  return (graph.is_uniform(a) && arity(graph[b].op) == 0) || (graph.is_uniform(b) && arity(graph[a].op) == 0);
}

}  // namespace

bool constant_in_time(const Graph& graph, const Domain& domain, std::size_t fields, NodeId root) {
  const std::vector<bool> needed = reachable(graph, std::vector{root});
  for (NodeId id = 0; id < needed.size(); ++id) {
    const Op op = graph[id].op;
    if (needed[id] && (op == Op::index || op == Op::access) && !is_constant_leaf(graph[id], domain, fields))
      return false;
  }
  return true;
}

Hoisted hoist(Graph& graph, const Domain& domain, std::size_t fields, std::span<const NodeId> roots,
              std::size_t first_operand) {
  const std::vector<bool> needed = reachable(graph, roots);
  std::vector<bool> constant(needed.size(), false), taken(needed.size(), false);
  const auto take = [&](NodeId id) {
    if (constant[id] && !is_cheap(graph, id)) taken[id] = true;
  };
  for (NodeId id = 0; id < needed.size(); ++id) {
    if (!needed[id] || graph.is_uniform(id)) continue;
    const Node& node = graph[id];
    if (arity(node.op) == 0) {
      constant[id] = is_constant_leaf(node, domain, fields);
      continue;
    }
    bool all = true;
    for (std::size_t k = 0; k < arity(node.op); ++k) {
      all = all && (graph.is_uniform(node.child[k]) || constant[node.child[k]]);
    }
    constant[id] = all;
    if (all) continue;
    for (std::size_t k = 0; k < arity(node.op); ++k) take(node.child[k]);
  }
  for (const NodeId root : roots) take(root);

  // Shifts along time mean nothing to what does not change with it: without them more parts are the same.
  std::vector<NodeId> canonical(needed.size());
  for (NodeId id = 0; id < needed.size(); ++id) {
    if (!needed[id] || !(constant[id] || graph.is_uniform(id))) continue;
    const Node node = graph[id];
    canonical[id] = id;
    if (graph.is_uniform(id)) continue;
    if (node.op == Op::access) {
      Shift shift = node.shift;
      std::fill_n(shift.begin(), domain.operands[static_cast<std::size_t>(node.id)].shape.repeated, 0);
      canonical[id] = graph.access(node.id, shift);
    } else if (node.op != Op::index) {
      std::array<NodeId, 4> children{};
      for (std::size_t k = 0; k < arity(node.op); ++k) children[k] = canonical[node.child[k]];
      canonical[id] = graph.make(node.op, std::span(children).first(arity(node.op)));
    }
  }

  Hoisted result;
  std::vector<NodeId> here(needed.size());
  for (NodeId id = 0; id < needed.size(); ++id) {
    if (!needed[id]) continue;
    const Node node = graph[id];
    if (taken[id]) {
      auto place = std::find(result.expressions.begin(), result.expressions.end(), canonical[id]);
      if (place == result.expressions.end()) {
        place = result.expressions.insert(place, canonical[id]);
      }
      const std::size_t number = first_operand + static_cast<std::size_t>(place - result.expressions.begin());
      here[id] = graph.access(static_cast<std::int32_t>(number), Shift{});
    } else if (arity(node.op) == 0 || graph.is_uniform(id)) {
      here[id] = id;
    } else {
      std::array<NodeId, 4> children{};
      for (std::size_t k = 0; k < arity(node.op); ++k) children[k] = here[node.child[k]];
      here[id] = graph.make(node.op, std::span(children).first(arity(node.op)));
    }
  }
  for (const NodeId root : roots) result.roots.push_back(here[root]);
  return result;
}

}  // namespace dd::odil
