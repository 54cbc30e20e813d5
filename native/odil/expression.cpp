#include "odil/expression.hpp"

#include <bit>
#include <cmath>
#include <limits>

namespace dd::odil {

std::size_t arity(Op op) noexcept {
  switch (op) {
    case Op::constant:
    case Op::parameter:
    case Op::access:
    case Op::index:
    case Op::pick:
      return 0;
    case Op::add:
    case Op::multiply:
    case Op::divide:
    case Op::minimum:
    case Op::maximum:
    case Op::power:
    case Op::where_index:
      return 2;
    case Op::select_less:
      return 4;
    case Op::absolute:
    case Op::sign:
    case Op::exp:
    case Op::log:
    case Op::sin:
    case Op::cos:
    case Op::tanh:
    case Op::sigmoid:
    case Op::sqrt:
    case Op::freeze:
      return 1;
  }
  return 0;
}

double apply(const Node& node, double a, double b, double c, double d) noexcept {
  switch (node.op) {
    case Op::constant:
      return node.value;
    case Op::add:
      return a + b;
    case Op::multiply:
      return a * b;
    case Op::divide:
      return a / b;
    case Op::minimum:
      return b < a ? b : a;
    case Op::maximum:
      return a < b ? b : a;
    case Op::absolute:
      return std::fabs(a);
    case Op::sign:
      return a > 0 ? 1 : a < 0 ? -1 : 0;
    case Op::select_less:
      return a < b ? c : d;
    case Op::exp:
      return std::exp(a);
    case Op::log:
      return std::log(a);
    case Op::sin:
      return std::sin(a);
    case Op::cos:
      return std::cos(a);
    case Op::tanh:
      return std::tanh(a);
    case Op::sigmoid:
      return 1 / (1 + std::exp(-a));
    case Op::sqrt:
      return std::sqrt(a);
    case Op::power:
      return std::pow(a, b);
    case Op::freeze:
      return a;
    case Op::parameter:
    case Op::access:
    case Op::index:
    case Op::pick:
    case Op::where_index:
      break;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

std::size_t Graph::Hash::operator()(const Node& node) const noexcept {
  std::uint64_t hash = static_cast<std::uint64_t>(node.op) * 0x9E3779B97F4A7C15u;
  const auto mix = [&](std::uint64_t word) {
    hash = (hash ^ word) * 0xBF58476D1CE4E5B9u;
    hash ^= hash >> 31;
  };
  mix(static_cast<std::uint64_t>(node.id));
  mix(std::bit_cast<std::uint64_t>(node.value));
  for (const NodeId child : node.child) mix(child);
  for (const std::int32_t step : node.shift) mix(static_cast<std::uint64_t>(static_cast<std::uint32_t>(step)));
  return hash;
}

Graph::Graph() { constant(0); }

NodeId Graph::intern(const Node& node) {
  const auto [place, added] = known_.try_emplace(node, static_cast<NodeId>(nodes_.size()));
  if (added) {
    bool uniform = node.op != Op::access && node.op != Op::index && node.op != Op::where_index;
    for (std::size_t k = 0; k < arity(node.op); ++k) uniform = uniform && uniform_[node.child[k]];
    nodes_.push_back(node);
    uniform_.push_back(uniform);
  }
  return place->second;
}

NodeId Graph::constant(double value) {
  // Both zeros are one node, as NaN equals nothing and is never merged.
  return intern({.op = Op::constant, .value = value == 0 ? 0 : value});
}
NodeId Graph::parameter(std::int32_t number) { return intern({.op = Op::parameter, .id = number}); }
NodeId Graph::access(std::int32_t operand, const Shift& shift) {
  return intern({.op = Op::access, .id = operand, .shift = shift});
}
NodeId Graph::index(std::int32_t axis, const Shift& shift) {
  Shift own{};
  own[static_cast<std::size_t>(axis)] = shift[static_cast<std::size_t>(axis)];
  return intern({.op = Op::index, .id = axis, .shift = own});
}
NodeId Graph::pick(std::int32_t operand, const Shift& index) {
  return intern({.op = Op::pick, .id = operand, .shift = index});
}
NodeId Graph::where_index(std::int32_t axis, double bound, NodeId below, NodeId otherwise) {
  if (below == otherwise) return below;
  return intern({.op = Op::where_index, .id = axis, .value = bound, .child = {below, otherwise}});
}

NodeId Graph::make(Op op, std::span<const NodeId> children) {
  bool all_constant = op != Op::freeze;
  for (const NodeId child : children) all_constant = all_constant && nodes_[child].op == Op::constant;
  if (all_constant) {
    double value[4] = {};
    for (std::size_t k = 0; k < children.size(); ++k) value[k] = nodes_[children[k]].value;
    return constant(odil::apply({.op = op}, value[0], value[1], value[2], value[3]));
  }
  return simplified(op, children);
}

NodeId Graph::simplified(Op op, std::span<const NodeId> children) {
  NodeId a = children[0], b = children.size() > 1 ? children[1] : 0;
  switch (op) {
    case Op::add:
      if (is_constant(a, 0)) return b;
      if (is_constant(b, 0)) return a;
      if (a == b) return multiply(constant(2), a);
      if (b < a) std::swap(a, b);
      return intern({.op = op, .child = {a, b}});
    case Op::multiply: {
      if (nodes_[b].op == Op::constant) std::swap(a, b);
      // Zeros come from derivatives or were written down: both mean "nothing here", whatever the other factor is.
      if (is_constant(a, 0)) return a;
      if (is_constant(a, 1)) return b;
      if (nodes_[a].op == Op::constant && nodes_[b].op == Op::multiply &&
          nodes_[nodes_[b].child[0]].op == Op::constant) {
        const Node inner = nodes_[b];
        return multiply(constant(nodes_[a].value * nodes_[inner.child[0]].value), inner.child[1]);
      }
      if (nodes_[a].op != Op::constant) {
        // c x * y = c (x y): constants gather in front.
        for (int side = 0; side < 2; ++side) {
          const Node inner = nodes_[a];
          if (inner.op == Op::multiply && nodes_[inner.child[0]].op == Op::constant) {
            return multiply(inner.child[0], multiply(inner.child[1], b));
          }
          std::swap(a, b);
        }
        if (b < a) std::swap(a, b);
      }
      return intern({.op = op, .child = {a, b}});
    }
    case Op::divide:
      if (nodes_[b].op == Op::constant) return multiply(constant(1 / nodes_[b].value), a);
      if (is_constant(a, 0)) return a;
      if (nodes_[a].op == Op::multiply && nodes_[nodes_[a].child[0]].op == Op::constant) {
        const Node inner = nodes_[a];
        return multiply(inner.child[0], divide(inner.child[1], b));
      }
      return intern({.op = op, .child = {a, b}});
    case Op::minimum:
    case Op::maximum:
      if (a == b) return a;
      return intern({.op = op, .child = {a, b}});
    case Op::select_less:
      if (children[2] == children[3]) return children[2];
      if (nodes_[a].op == Op::constant && nodes_[b].op == Op::constant) {
        return nodes_[a].value < nodes_[b].value ? children[2] : children[3];
      }
      return intern({.op = op, .child = {a, b, children[2], children[3]}});
    case Op::power:
      return power(a, b);
    case Op::freeze:
      if (nodes_[a].op == Op::constant || nodes_[a].op == Op::index || nodes_[a].op == Op::freeze) return a;
      return intern({.op = op, .child = {a}});
    default:
      break;
  }
  Node node{.op = op};
  for (std::size_t k = 0; k < children.size(); ++k) node.child[k] = children[k];
  return intern(node);
}

NodeId Graph::power(NodeId base, NodeId exponent) {
  if (nodes_[exponent].op == Op::constant) {
    const double value = nodes_[exponent].value;
    if (value == 0) return constant(1);
    if (value == 1) return base;
    if (value == 0.5) return apply(Op::sqrt, base);
    if (value == std::trunc(value) && std::fabs(value) <= 16) {
      if (value < 0) return divide(constant(1), power(base, constant(-value)));
      // Squaring: x^5 = (x^2)^2 x.
      NodeId result = constant(1), square = base;
      for (auto rest = static_cast<unsigned>(value); rest != 0; rest >>= 1) {
        if ((rest & 1u) != 0) result = multiply(result, square);
        if (rest > 1) square = multiply(square, square);
      }
      return result;
    }
  }
  return intern({.op = Op::power, .child = {base, exponent}});
}

std::vector<bool> reachable(const Graph& graph, std::span<const NodeId> roots) {
  std::vector<bool> needed(graph.size(), false);
  NodeId last = 0;
  for (const NodeId root : roots) {
    needed[root] = true;
    last = root > last ? root : last;
  }
  for (NodeId node = last + 1; node-- > 0;) {
    if (!needed[node]) continue;
    for (std::size_t k = 0; k < arity(graph[node].op); ++k) needed[graph[node].child[k]] = true;
  }
  return needed;
}

std::vector<NodeId> shifted(Graph& graph, std::span<const NodeId> roots, const Shift& shift) {
  const std::vector<bool> needed = reachable(graph, roots);
  std::vector<NodeId> moved(needed.size());
  for (NodeId id = 0; id < needed.size(); ++id) {
    if (!needed[id]) continue;
    const Node node = graph[id];
    if (graph.is_uniform(id)) {
      moved[id] = id;
      continue;
    }
    if (node.op == Op::access || node.op == Op::index) {
      Shift total = node.shift;
      for (std::size_t axis = 0; axis < max_axes; ++axis) total[axis] += shift[axis];
      moved[id] = node.op == Op::access ? graph.access(node.id, total) : graph.index(node.id, total);
      continue;
    }
    std::array<NodeId, 4> children{};
    for (std::size_t k = 0; k < arity(node.op); ++k) children[k] = moved[node.child[k]];
    moved[id] = graph.make(node.op, std::span(children).first(arity(node.op)));
  }
  std::vector<NodeId> result;
  for (const NodeId root : roots) result.push_back(moved[root]);
  return result;
}

}  // namespace dd::odil
