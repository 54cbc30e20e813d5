#include "odil/derivative.hpp"

#include <algorithm>

namespace dd::odil {
namespace {

/// d node / d child k, for the operations that are smooth (the others are written out where they are used).
NodeId partial(Graph& graph, NodeId id, std::size_t k) {
  const Node node = graph[id];
  const NodeId a = node.child[0], b = node.child[1];
  switch (node.op) {
    case Op::multiply:
      return k == 0 ? b : a;
    case Op::divide:
      return k == 0 ? graph.divide(graph.constant(1), b) : graph.negate(graph.divide(id, b));
    case Op::absolute:
      return graph.apply(Op::sign, a);
    case Op::exp:
      return id;
    case Op::log:
      return graph.divide(graph.constant(1), a);
    case Op::sin:
      return graph.apply(Op::cos, a);
    case Op::cos:
      return graph.negate(graph.apply(Op::sin, a));
    case Op::tanh:
      return graph.subtract(graph.constant(1), graph.multiply(id, id));
    case Op::sigmoid:
      return graph.multiply(id, graph.subtract(graph.constant(1), id));
    case Op::sqrt:
      return graph.divide(graph.constant(0.5), id);
    case Op::power:
      if (k == 0) {
        const NodeId lower = graph.make(Op::power, std::array{a, graph.subtract(b, graph.constant(1))});
        return graph.multiply(b, lower);
      }
      // 0^b does not move with b (b > 0), although log 0 is infinite.
      return graph.select_less(graph.constant(0), a, graph.multiply(id, graph.apply(Op::log, a)), graph.constant(0));
    default:
      return graph.constant(0);
  }
}

/// Where an operation that is nowhere finite for some numbers multiplies an adjoint of 0, the product must be 0.
NodeId guarded_product(Graph& graph, NodeId adjoint, NodeId factor, bool may_be_infinite) {
  if (!may_be_infinite || graph[factor].op == Op::constant) return graph.multiply(adjoint, factor);
  const NodeId zero = graph.constant(0);
  const NodeId magnitude = graph.apply(Op::absolute, adjoint);
  return graph.select_less(zero, magnitude, graph.multiply(adjoint, factor), zero);
}

/// Nodes that are not below zero, or not above it, whatever the leaves are.
struct Signs {
  bool least_zero = false, most_zero = false;
};
Signs signs_of(const Node& node, const std::vector<Signs>& known) {
  const NodeId a = node.child[0], b = node.child[1];
  switch (node.op) {
    case Op::constant:
      return {node.value >= 0, node.value <= 0};
    case Op::absolute:
    case Op::exp:
    case Op::sigmoid:
      return {true, false};
    case Op::add:
      return {known[a].least_zero && known[b].least_zero, known[a].most_zero && known[b].most_zero};
    case Op::multiply:
      return {a == b || (known[a].least_zero && known[b].least_zero) || (known[a].most_zero && known[b].most_zero),
              (known[a].least_zero && known[b].most_zero) || (known[a].most_zero && known[b].least_zero)};
    default:
      return {};
  }
}

/// Nodes whose value can be infinite or NaN although every leaf is finite and moderate.
std::vector<bool> possibly_infinite(const Graph& graph, const std::vector<bool>& needed) {
  std::vector<bool> result(graph.size(), false);
  std::vector<Signs> signs(graph.size());
  for (NodeId id = 0; id < needed.size(); ++id) {
    if (!needed[id]) continue;
    const Op op = graph[id].op;
    signs[id] = signs_of(graph[id], signs);
    bool infinite = op == Op::divide || op == Op::log || op == Op::sqrt || op == Op::power ||
                    (op == Op::exp && !signs[graph[id].child[0]].most_zero);
    for (std::size_t k = 0; k < arity(op); ++k) infinite = infinite || result[graph[id].child[k]];
    result[id] = infinite;
  }
  return result;
}

}  // namespace

std::vector<NodeId> unknown_leaves(const Graph& graph, NodeId root, std::size_t fields) {
  const std::vector<bool> needed = reachable(graph, std::array{root});
  std::vector<NodeId> leaves;
  for (NodeId id = 0; id < needed.size(); ++id) {
    if (!needed[id]) continue;
    const Node& node = graph[id];
    const bool field = node.op == Op::access && static_cast<std::size_t>(node.id) < fields;
    if (field || node.op == Op::parameter) leaves.push_back(id);
  }
  return leaves;
}

std::vector<Adjoint> reverse(Graph& graph, NodeId root, NodeId seed, std::span<const NodeId> wanted) {
  const std::vector<bool> needed = reachable(graph, std::array{root});
  std::vector<bool> leads(needed.size(), false);  // nodes from which a wanted leaf can be reached
  for (const NodeId leaf : wanted) {
    if (leaf < needed.size() && needed[leaf]) leads[leaf] = true;
  }
  for (NodeId id = 0; id < needed.size(); ++id) {
    if (!needed[id] || graph[id].op == Op::freeze) continue;
    for (std::size_t k = 0; k < arity(graph[id].op); ++k) {
      if (leads[graph[id].child[k]]) leads[id] = true;
    }
  }
  const std::vector<bool> infinite = possibly_infinite(graph, needed);
  const NodeId zero = graph.constant(0);
  std::vector<NodeId> adjoint(needed.size(), zero);
  if (leads[root]) adjoint[root] = seed;

  for (NodeId id = static_cast<NodeId>(needed.size()); id-- > 0;) {
    if (!needed[id] || !leads[id] || adjoint[id] == zero) continue;
    const Node node = graph[id];
    const NodeId here = adjoint[id];
    const auto give = [&](NodeId child, NodeId value) {
      if (leads[child]) adjoint[child] = graph.add(adjoint[child], value);
    };
    const NodeId a = node.child[0], b = node.child[1];
    switch (node.op) {
      case Op::add:
        give(a, here);
        give(b, here);
        break;
      case Op::minimum:
        give(a, graph.select_less(b, a, zero, here));
        give(b, graph.select_less(b, a, here, zero));
        break;
      case Op::maximum:
        give(a, graph.select_less(a, b, zero, here));
        give(b, graph.select_less(a, b, here, zero));
        break;
      case Op::select_less:
        give(node.child[2], graph.select_less(a, b, here, zero));
        give(node.child[3], graph.select_less(a, b, zero, here));
        break;
      case Op::freeze:
        break;
      default:
        for (std::size_t k = 0; k < arity(node.op); ++k) {
          if (!leads[node.child[k]]) continue;
          bool guard = infinite[id];
          for (std::size_t j = 0; j < arity(node.op); ++j) guard = guard || infinite[node.child[j]];
          give(node.child[k], guarded_product(graph, here, partial(graph, id, k), guard));
        }
    }
  }
  std::vector<Adjoint> result;
  for (const NodeId leaf : wanted) {
    if (leaf < needed.size() && needed[leaf] && adjoint[leaf] != zero) result.push_back({leaf, adjoint[leaf]});
  }
  std::sort(result.begin(), result.end(), [](const Adjoint& x, const Adjoint& y) { return x.leaf < y.leaf; });
  return result;
}

NodeId tangent(Graph& graph, NodeId root, std::span<const NodeId> leaves, std::span<const NodeId> directions) {
  const std::vector<bool> needed = reachable(graph, std::array{root});
  const NodeId zero = graph.constant(0);
  std::vector<NodeId> change(needed.size(), zero);
  for (std::size_t k = 0; k < leaves.size(); ++k) {
    if (leaves[k] < needed.size()) change[leaves[k]] = directions[k];
  }
  for (NodeId id = 0; id < needed.size(); ++id) {
    if (!needed[id] || arity(graph[id].op) == 0) continue;
    const Node node = graph[id];
    const NodeId a = node.child[0], b = node.child[1];
    switch (node.op) {
      case Op::add:
        change[id] = graph.add(change[a], change[b]);
        break;
      case Op::minimum:
        change[id] = graph.select_less(b, a, change[b], change[a]);
        break;
      case Op::maximum:
        change[id] = graph.select_less(a, b, change[b], change[a]);
        break;
      case Op::select_less:
        change[id] = graph.select_less(a, b, change[node.child[2]], change[node.child[3]]);
        break;
      case Op::freeze:
        break;
      default:
        for (std::size_t k = 0; k < arity(node.op); ++k) {
          const NodeId child = change[node.child[k]];
          if (child != zero) change[id] = graph.add(change[id], graph.multiply(child, partial(graph, id, k)));
        }
    }
  }
  return change[root];
}

}  // namespace dd::odil
