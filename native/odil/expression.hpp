// Residuals as expressions: a hash-consed graph of operations on fields, arrays, parameters and grid indices, with the
// simplifications that keep derivatives small. Children always come before their parents, so every pass is a loop over
// indices, never a recursion over what a user wrote.
//
// Source: specs/odil-engine.md, sections 1.1 and 2.1.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace dd::odil {

/// Time and up to four axes of space.
inline constexpr std::size_t max_axes = 5;
/// Whole steps along each axis; axes that do not exist hold 0.
using Shift = std::array<std::int32_t, max_axes>;
using NodeId = std::uint32_t;

enum class Op : std::uint8_t {
  constant,     ///< value
  parameter,    ///< parameter number id
  access,       ///< operand id (a field or an array) at the point moved by shift
  index,        ///< the point's own index along axis id, moved by shift
  pick,         ///< operand id at the absolute index in shift: the same for all points
  add,          ///< a + b
  multiply,     ///< a b
  divide,       ///< a / b
  minimum,      ///< b < a ? b : a
  maximum,      ///< a < b ? b : a
  absolute,     ///< |a|
  sign,         ///< -1, 0 or 1
  select_less,  ///< a < b ? c : d
  where_index,  ///< index along axis id < value ? a : b; known per region, never computed per point
  exp,
  log,
  sin,
  cos,
  tanh,
  sigmoid,
  sqrt,
  power,   ///< a^b
  freeze,  ///< a, without a derivative
};
inline constexpr std::size_t op_count = static_cast<std::size_t>(Op::freeze) + 1;

/// Number of children.
std::size_t arity(Op op) noexcept;

struct Node {
  Op op = Op::constant;
  std::int32_t id = 0;
  double value = 0;
  std::array<NodeId, 4> child{};
  Shift shift{};

  bool operator==(const Node&) const = default;
};

/// The value of one operation at numbers; what every other evaluation must agree with.
double apply(const Node& node, double a, double b, double c, double d) noexcept;

class Graph {
 public:
  Graph();

  const Node& operator[](NodeId node) const noexcept { return nodes_[node]; }
  std::size_t size() const noexcept { return nodes_.size(); }

  NodeId constant(double value);
  NodeId parameter(std::int32_t number);
  NodeId access(std::int32_t operand, const Shift& shift);
  NodeId index(std::int32_t axis, const Shift& shift);
  NodeId pick(std::int32_t operand, const Shift& index);
  /// Any operation on children that exist, simplified: constants are folded and stand first in products, 0 and 1
  /// vanish, divisions by a constant become products.
  NodeId make(Op op, std::span<const NodeId> children);
  NodeId where_index(std::int32_t axis, double bound, NodeId below, NodeId otherwise);

  NodeId add(NodeId a, NodeId b) { return make(Op::add, std::array{a, b}); }
  NodeId multiply(NodeId a, NodeId b) { return make(Op::multiply, std::array{a, b}); }
  NodeId divide(NodeId a, NodeId b) { return make(Op::divide, std::array{a, b}); }
  NodeId negate(NodeId a) { return multiply(constant(-1), a); }
  NodeId subtract(NodeId a, NodeId b) { return add(a, negate(b)); }
  NodeId select_less(NodeId a, NodeId b, NodeId c, NodeId d) { return make(Op::select_less, std::array{a, b, c, d}); }
  NodeId apply(Op op, NodeId a) { return make(op, std::array{a}); }

  bool is_constant(NodeId node, double value) const noexcept {
    return nodes_[node].op == Op::constant && nodes_[node].value == value;
  }
  /// No access and no index below it: one number for all points.
  bool is_uniform(NodeId node) const noexcept { return uniform_[node]; }

 private:
  NodeId intern(const Node& node);
  NodeId simplified(Op op, std::span<const NodeId> children);
  NodeId power(NodeId base, NodeId exponent);

  struct Hash {
    std::size_t operator()(const Node& node) const noexcept;
  };
  std::vector<Node> nodes_;
  std::vector<bool> uniform_;
  std::unordered_map<Node, NodeId, Hash> known_;
};

/// Which nodes the roots need, as a mask over the graph.
std::vector<bool> reachable(const Graph& graph, std::span<const NodeId> roots);

/// The expressions of `roots` at the point moved by `shift`. They must hold no where_index.
std::vector<NodeId> shifted(Graph& graph, std::span<const NodeId> roots, const Shift& shift);

inline bool is_access(const Graph& graph, NodeId id) { return graph[id].op == Op::access; }

}  // namespace dd::odil
