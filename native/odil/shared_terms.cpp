#include "odil/shared_terms.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>

namespace dd::odil {
namespace {

/// The smallest step along the axis at which a field is read; none where no field is.
std::optional<std::int32_t> first_step(const Graph& graph, NodeId root, std::size_t axis, std::size_t fields) {
  const std::vector<bool> needed = reachable(graph, std::array{root});
  std::optional<std::int32_t> first;
  for (NodeId id = 0; id < needed.size(); ++id) {
    if (!needed[id] || graph[id].op != Op::access || static_cast<std::size_t>(graph[id].id) >= fields) continue;
    first = std::min(first.value_or(graph[id].shift[axis]), graph[id].shift[axis]);
  }
  return first;
}

}  // namespace

SplitSum split_shared_terms(Graph& graph, NodeId root, std::size_t axis, std::size_t fields) {
  std::map<NodeId, double, std::greater<>> open{{root, 1}};  // parents come before their children
  std::map<NodeId, double> terms;
  while (!open.empty()) {
    const auto [id, factor] = *open.begin();
    open.erase(open.begin());
    const Node node = graph[id];
    if (node.op == Op::add) {
      open[node.child[0]] += factor;
      open[node.child[1]] += factor;
    } else if (node.op == Op::multiply && graph[node.child[0]].op == Op::constant) {
      open[node.child[1]] += factor * graph[node.child[0]].value;
    } else {
      terms[id] += factor;
    }
  }
  std::map<NodeId, SharedTerm> groups;
  std::map<NodeId, NodeId> group_of;
  for (const auto& [id, factor] : terms) {
    const std::optional<std::int32_t> first = first_step(graph, id, axis, fields);
    if (graph[id].op == Op::access || graph[id].op == Op::freeze || !first) continue;
    Shift back{};
    back[axis] = -*first;
    const NodeId term = shifted(graph, std::array{id}, back)[0];
    groups[term].term = term;
    groups[term].uses.push_back({*first, factor});
    group_of[id] = term;
  }
  SplitSum result;
  for (const auto& [term, group] : groups) {
    if (group.uses.size() > 1) result.shared.push_back(group);
  }
  if (result.shared.empty()) {
    result.rest = root;
    return result;
  }
  result.rest = graph.constant(0);
  for (const auto& [id, factor] : terms) {
    const auto group = group_of.find(id);
    if (group != group_of.end() && groups[group->second].uses.size() > 1) continue;
    result.rest = graph.add(result.rest, graph.multiply(graph.constant(factor), id));
  }
  return result;
}

}  // namespace dd::odil
