#include "odil/gather.hpp"

#include <map>
#include <utility>

#include "odil/derivative.hpp"
#include "odil/shared_terms.hpp"

namespace dd::odil {
namespace {

/// Every point-dependent leaf is an access to `operand`.
bool reads_only(const Graph& graph, NodeId root, std::size_t operand) {
  const std::vector<bool> needed = reachable(graph, std::array{root});
  for (NodeId id = 0; id < needed.size(); ++id) {
    if (!needed[id]) continue;
    if (graph[id].op == Op::index) return false;
    if (is_access(graph, id) && static_cast<std::size_t>(graph[id].id) != operand) return false;
  }
  return true;
}

/// A sum of multiples of accesses: shifting it costs nothing but other offsets.
bool is_linear(const Graph& graph, NodeId root) {
  const std::vector<bool> needed = reachable(graph, std::array{root});
  for (NodeId id = 0; id < needed.size(); ++id) {
    if (!needed[id] || graph.is_uniform(id)) continue;
    const Node& node = graph[id];
    const bool scaled = node.op == Op::multiply && (graph.is_uniform(node.child[0]) || graph.is_uniform(node.child[1]));
    if (node.op != Op::access && node.op != Op::add && !scaled) return false;
  }
  return true;
}

Shift negated(Shift shift) {
  for (std::int32_t& step : shift) step = -step;
  return shift;
}

}  // namespace

std::optional<Gather> make_gather(Graph& graph, const Domain& domain, std::size_t fields, const Shape& shape,
                                  const Region& region) {
  const std::size_t last = shape.axes - 1;
  const std::vector<bool> needed = reachable(graph, std::array{region.root});
  for (NodeId id = 0; id < needed.size(); ++id) {
    if (!needed[id] || !is_access(graph, id)) continue;
    const Shape& operand = domain.operands[static_cast<std::size_t>(graph[id].id)].shape;
    if (FlatPass::common_run(shape, operand) == 0) return std::nullopt;
    for (std::size_t axis = operand.repeated; axis < shape.axes; ++axis) {
      const std::int32_t at = region.box.begin[axis] + graph[id].shift[axis];
      if (at < 0 || at >= operand.count[axis]) return std::nullopt;
    }
  }
  // Worth it where the region is most of what one run through it touches.
  std::ptrdiff_t first = 0, final = 0;
  for (std::size_t axis = 0; axis < shape.axes; ++axis) {
    first = first * shape.count[axis] + region.box.begin[axis];
    final = final * shape.count[axis] + region.box.end[axis] - 1;
  }
  if (2 * region.box.points(shape.axes) < static_cast<std::size_t>(final - first + 1)) return std::nullopt;

  const std::size_t weights = domain.operands.size() - 1;
  const NodeId weight = graph.access(static_cast<std::int32_t>(weights), Shift{});
  std::map<std::size_t, NodeId> constant;                   // field -> sum of its adjoints, all axes gathered
  std::map<std::pair<std::size_t, Shift>, NodeId> varying;  // the contiguous axis gathered
  std::map<std::size_t, NodeId> parameter;
  std::ptrdiff_t low = 0, high = 0;
  std::int32_t near_low = 0, near_high = 0;
  const auto add_to = [&](auto& sums, const auto& key, NodeId value) {
    const auto [place, added] = sums.try_emplace(key, value);
    if (!added) place->second = graph.add(place->second, value);
  };
  const auto add_varying = [&](const Node& leaf, NodeId value) {
    Shift along{}, across = leaf.shift;
    along[last] = -leaf.shift[last];
    across[last] = 0;
    add_to(varying, std::pair{static_cast<std::size_t>(leaf.id), across}, shifted(graph, std::array{value}, along)[0]);
  };
  const auto look_at = [&](std::int32_t step) {
    near_low = std::min(near_low, step);
    near_high = std::max(near_high, step);
  };
  const SplitSum sum = split_shared_terms(graph, region.root, last, fields);
  for (const SharedTerm& shared : sum.shared) {
    NodeId seed = graph.constant(0);
    for (const SharedTerm::Use& use : shared.uses) {
      Shift back{};
      back[last] = -use.shift;
      const NodeId from = graph.access(static_cast<std::int32_t>(weights), back);
      seed = graph.add(seed, graph.multiply(graph.constant(use.factor), from));
    }
    for (const Adjoint& adjoint : reverse(graph, shared.term, seed, unknown_leaves(graph, shared.term, fields))) {
      const Node leaf = graph[adjoint.leaf];
      if (leaf.op == Op::parameter) {
        add_to(parameter, static_cast<std::size_t>(leaf.id), adjoint.value);
        continue;
      }
      add_varying(leaf, adjoint.value);
      for (const SharedTerm::Use& use : shared.uses) look_at(leaf.shift[last] + use.shift);
    }
  }
  for (const Adjoint& adjoint : reverse(graph, sum.rest, weight, unknown_leaves(graph, sum.rest, fields))) {
    const Node leaf = graph[adjoint.leaf];
    const auto number = static_cast<std::size_t>(leaf.id);
    Shift across = leaf.shift;
    across[last] = 0;
    if (leaf.op == Op::parameter) {
      add_to(parameter, number, adjoint.value);
    } else if (!varying.contains({number, across}) && reads_only(graph, adjoint.value, weights) &&
               is_linear(graph, adjoint.value)) {
      const Shift back = negated(leaf.shift);
      add_to(constant, number, shifted(graph, std::array{adjoint.value}, back)[0]);
      low = std::min(low, shape.flat(leaf.shift));
      high = std::max(high, shape.flat(leaf.shift));
    } else {
      add_varying(leaf, adjoint.value);
      look_at(leaf.shift[last]);
    }
  }
  const std::int32_t rim = near_high - near_low;
  if (region.box.end[last] - region.box.begin[last] < 2 * rim + 1) return std::nullopt;

  Gather result;
  std::vector<Output> outputs, first_outputs;
  std::vector<Target> targets;
  for (const auto& [field, root] : constant) {
    outputs.push_back({root, OutputKind::accumulate});
    first_outputs.push_back({root, OutputKind::store});
    targets.push_back({field, shape, {}});
    result.constant_fields.push_back(field);
  }
  if (!outputs.empty()) {
    result.constant.emplace(graph, domain, shape, outputs, targets);
    result.constant_first.emplace(graph, domain, shape, first_outputs, std::move(targets));
  }
  outputs.clear();
  targets.clear();
  for (const auto& [key, root] : varying) {
    outputs.push_back({root, OutputKind::accumulate});
    targets.push_back({key.first, shape, key.second});
  }
  for (const auto& [number, root] : parameter) {
    outputs.push_back({root, OutputKind::sum});
    targets.push_back({number, {}, {}});
  }
  if (!outputs.empty()) result.varying.emplace(graph, domain, shape, outputs, std::move(targets));
  result.first = first + rim;
  result.last = final - rim;
  result.constant_low = low;
  result.constant_high = high;
  result.varying_low = near_low;
  result.varying_high = near_high;
  return result;
}

}  // namespace dd::odil
