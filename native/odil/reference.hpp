// The slow truth: an expression at one point, evaluated node by node as it was written: no regions, no simplification
// but those of the graph. With complex numbers a step of 1e-200 i gives derivatives without cancellation.
#pragma once

#include <cmath>
#include <complex>
#include <span>
#include <vector>

#include "odil/regions.hpp"

namespace dd::odil::reference {

inline double real_part(double value) { return value; }
inline double real_part(const std::complex<double>& value) { return value.real(); }

/// `operands`: one array per operand; accesses wrap along every axis. Conditions compare real parts; frozen values lose
/// their imaginary part.
template <class Number>
Number value_at(const Graph& graph, NodeId root, const Domain& domain, const std::array<std::int32_t, max_axes>& at,
                std::span<const std::span<const Number>> operands, std::span<const Number> parameters) {
  using std::cos, std::exp, std::log, std::pow, std::sin, std::sqrt, std::tanh;
  const std::vector<bool> needed = reachable(graph, std::array{root});
  std::vector<Number> value(needed.size());
  for (NodeId id = 0; id < needed.size(); ++id) {
    if (!needed[id]) continue;
    const Node& node = graph[id];
    const auto number = static_cast<std::size_t>(node.id);
    const Number a = value[node.child[0]], b = value[node.child[1]];
    const Number c = value[node.child[2]], d = value[node.child[3]];
    const double ra = real_part(a), rb = real_part(b);
    switch (node.op) {
      case Op::constant:
        value[id] = node.value;
        break;
      case Op::parameter:
        value[id] = parameters[number];
        break;
      case Op::access:
        value[id] = operands[number][resolve(domain.operands[number].shape, at, node.shift)];
        break;
      case Op::pick:
        value[id] = operands[number][resolve(domain.operands[number].shape, node.shift, Shift{})];
        break;
      case Op::index:
        value[id] = static_cast<double>(at[number] + node.shift[number]);
        break;
      case Op::add:
        value[id] = a + b;
        break;
      case Op::multiply:
        value[id] = a * b;
        break;
      case Op::divide:
        value[id] = a / b;
        break;
      case Op::minimum:
        value[id] = rb < ra ? b : a;
        break;
      case Op::maximum:
        value[id] = ra < rb ? b : a;
        break;
      case Op::absolute:
        value[id] = ra > 0 ? a : ra < 0 ? -a : Number(0);
        break;
      case Op::sign:
        value[id] = ra > 0 ? 1 : ra < 0 ? -1 : 0;
        break;
      case Op::select_less:
        value[id] = ra < rb ? c : d;
        break;
      case Op::where_index:
        value[id] = at[number] < node.value ? a : b;
        break;
      case Op::exp:
        value[id] = exp(a);
        break;
      case Op::log:
        value[id] = log(a);
        break;
      case Op::sin:
        value[id] = sin(a);
        break;
      case Op::cos:
        value[id] = cos(a);
        break;
      case Op::tanh:
        value[id] = tanh(a);
        break;
      case Op::sigmoid:
        value[id] = Number(1) / (Number(1) + exp(-a));
        break;
      case Op::sqrt:
        value[id] = sqrt(a);
        break;
      case Op::power:
        value[id] = pow(a, b);
        break;
      case Op::freeze:
        value[id] = ra;
        break;
    }
  }
  return value[root];
}

}  // namespace dd::odil::reference
