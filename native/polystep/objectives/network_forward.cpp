// The walk through the whole network.
#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "polystep/objectives/network_isa.hpp"
#include "polystep/objectives/network_nodes.hpp"
#include "polystep/objectives/network_pass.hpp"

namespace dd::polystep {

GroupLayout::GroupLayout(const Graph& graph) : pre(graph.nodes.size(), 0), post(graph.nodes.size(), 0) {
  const auto reserve = [&](std::size_t values) {
    const std::size_t at = size;
    size += values;
    return at;
  };
  for (std::size_t i = 1; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (node.kind == NodeKind::dense) pre[i] = reserve(node.units * node.pre_ticks * group_samples);
    if (node.kind == NodeKind::gate || node.kind == NodeKind::select) pre[i] = reserve(group_samples);
    post[i] = reserve(node.units * node.ticks * group_samples);
  }
}

ParameterPlace place_of(const Graph& graph, std::size_t parameter) {
  for (std::size_t i = 1; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (node.kind == NodeKind::dense) {
      const std::size_t at = parameter - node.weights;
      if (parameter >= node.weights && at < node.units * node.inputs) {
        return {i, at / node.inputs, at % node.inputs, node.weight_kind};
      }
      if (node.bias != no_offset && parameter >= node.bias && parameter - node.bias < node.units) {
        const bool quantised = node.weight_kind == WeightKind::int8;
        return {i, parameter - node.bias, no_offset, quantised ? WeightKind::int8 : WeightKind::real};
      }
    } else if (node.kind == NodeKind::tree) {
      const std::size_t leaves = graph.nodes[node.source].units + 1;
      if (parameter >= node.weights && parameter - node.weights < leaves) {
        return {i, parameter - node.weights, no_offset, WeightKind::real};
      }
    }
  }
  throw Error(ErrorCode::internal, "parameter", "a parameter that no node has");
}

template <class Scalar>
void forward_group(const Graph& graph, const GroupLayout& layout, const Scalar* effective, const Scalar* input,
                   Scalar* state) {
  const GroupView<Scalar> view(layout, input, state);
  for (std::size_t i = 1; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    Scalar* const pre = state + layout.pre[i];
    Scalar* const post = state + layout.post[i];
    switch (node.kind) {
      case NodeKind::dense: {
        DenseRows<Scalar> rows{};
        rows.rows = node.units;
        rows.columns = node.pre_ticks * group_samples;
        rows.terms = node.inputs;
        rows.weights = effective + node.weights;
        rows.weight_stride = node.inputs;
        rows.inputs = view.post(node.source);
        rows.bias = node.bias == no_offset ? nullptr : effective + node.bias;
        rows.out = pre;
        dense_rows(rows);
        apply_activation(graph, node, pre, post, node.units);
        break;
      }
      case NodeKind::gate:
        first_largest(graph.nodes[node.scores].units, view.post(node.scores), pre);
        for (std::size_t r = 0; r < node.units; ++r) {
          gate_row(
              view.post(node.source) + r * group_samples, pre,
              [&](std::size_t score) { return effective[node.gates + score * node.units + r]; },
              post + r * group_samples);
        }
        break;
      case NodeKind::select:
        first_largest(graph.nodes[node.scores].units, view.post(node.scores), pre);
        for (std::size_t r = 0; r < node.units; ++r) {
          select_row(
              node, pre, [&](std::size_t expert) { return view.post(expert) + r * group_samples; },
              post + r * group_samples);
        }
        break;
      case NodeKind::tree:
        walk_tree(graph.nodes[node.source].units, view.post(node.source), effective + node.weights, post);
        break;
      case NodeKind::input:
        break;
    }
  }
}
template void forward_group(const Graph&, const GroupLayout&, const float*, const float*, float*);
template void forward_group(const Graph&, const GroupLayout&, const double*, const double*, double*);

}  // namespace dd::polystep
