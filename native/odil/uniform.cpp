#include "odil/uniform.hpp"

#include <algorithm>
#include <utility>

namespace dd::odil {

Uniforms::Uniforms(const Graph& graph, std::span<const NodeId> roots) {
  if (roots.empty()) return;
  const std::vector<bool> needed = reachable(graph, roots);
  std::vector<std::uint32_t> place(needed.size(), 0);
  for (NodeId id = 0; id < needed.size(); ++id) {
    if (!needed[id]) continue;
    Node node = graph[id];
    for (std::size_t k = 0; k < arity(node.op); ++k) node.child[k] = place[node.child[k]];
    place[id] = static_cast<std::uint32_t>(nodes_.size());
    nodes_.push_back(node);
  }
  for (const NodeId root : roots) roots_.push_back(place[root]);
  const bool depends = std::any_of(nodes_.begin(), nodes_.end(),
                                   [](const Node& node) { return node.op == Op::parameter || node.op == Op::pick; });
  if (depends) return;
  std::vector<double> values(roots.size());
  evaluate(
      {}, [](std::int32_t, const Shift&) { return 0.0; }, values);
  known_ = std::move(values);
}

void Uniforms::evaluate(std::span<const double> parameters,
                        FunctionRef<double(std::int32_t id, const Shift& index)> pick, std::span<double> values) const {
  if (!known_.empty()) {
    std::copy(known_.begin(), known_.end(), values.begin());
    return;
  }
  std::vector<double> value(nodes_.size());
  for (std::size_t k = 0; k < nodes_.size(); ++k) {
    const Node& node = nodes_[k];
    if (node.op == Op::parameter) {
      value[k] = parameters[static_cast<std::size_t>(node.id)];
    } else if (node.op == Op::pick) {
      value[k] = pick(node.id, node.shift);
    } else {
      value[k] = apply(node, value[node.child[0]], value[node.child[1]], value[node.child[2]], value[node.child[3]]);
    }
  }
  for (std::size_t r = 0; r < roots_.size(); ++r) values[r] = value[roots_[r]];
}

}  // namespace dd::odil
