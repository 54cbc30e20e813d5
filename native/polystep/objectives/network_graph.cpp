// Checks of a network's shape, and quantisation of its weights.
#include "polystep/objectives/network_graph.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.hpp"

namespace dd::polystep {
namespace {

void require(bool holds, const char* what) {
  if (!holds) throw Error(ErrorCode::invalid_argument_value, "nodes", std::string("`nodes` must ") + what);
}

void complete_dense(Graph& graph, Node& node) {
  const Node& source = graph.nodes[node.source];
  node.inputs = source.units;
  node.pre_ticks = source.ticks;
  const bool spiking = node.activation == Activation::lif_spikes || node.activation == Activation::lif_counts;
  require(spiking || node.pre_ticks == 1, "give spike trains to spiking layers only");
  node.ticks = node.activation == Activation::lif_spikes ? graph.ticks : 1;
  require(node.weights + node.units * node.inputs <= graph.parameters, "have parameters for all weights");
  require(node.bias == no_offset || node.bias + node.units <= graph.parameters, "have parameters for all biases");
}

void complete_node(Graph& graph, std::size_t index) {
  Node& node = graph.nodes[index];
  require(node.units > 0, "have units");
  require((node.kind == NodeKind::input) == (index == 0), "begin with the inputs, once");
  if (node.kind == NodeKind::input) return;
  if (node.kind != NodeKind::select) require(node.source < index, "follow their source");
  if (node.kind == NodeKind::gate || node.kind == NodeKind::select) {
    require(node.scores > 0 && node.scores < index, "follow their scores");
    require(graph.nodes[node.scores].ticks == 1, "have scores that are no spike trains");
    graph.nodes[node.scores].decides = true;
  }
  switch (node.kind) {
    case NodeKind::dense:
      complete_dense(graph, node);
      break;
    case NodeKind::gate:
      require(node.source > 0 && graph.nodes[node.source].units == node.units && graph.nodes[node.source].ticks == 1,
              "gate values of their own size");
      require(graph.nodes[node.scores].kind == NodeKind::dense && graph.nodes[node.scores].inputs == node.units,
              "have scores with a weight for each gated unit");
      node.gates = graph.effective;
      graph.effective += graph.nodes[node.scores].units * node.units;
      break;
    case NodeKind::select:
      require(node.experts.size() == graph.nodes[node.scores].units, "have a score for each expert");
      for (const std::size_t expert : node.experts) {
        require(
            expert > 0 && expert < index && graph.nodes[expert].units == node.units && graph.nodes[expert].ticks == 1,
            "select among experts of their own size");
      }
      break;
    case NodeKind::tree: {
      const std::size_t decisions = graph.nodes[node.source].units;
      require(node.source > 0 && node.units == 1 && ((decisions + 1) & decisions) == 0, "have 2^depth - 1 decisions");
      require(node.weights + decisions + 1 <= graph.parameters, "have parameters for all leaves");
      break;
    }
    case NodeKind::input:
      break;
  }
}

template <class Scalar>
Scalar sign(Scalar x) noexcept {
  return x > 0 ? Scalar{1} : x < 0 ? Scalar{-1} : x - x;  // NaN stays
}

}  // namespace

void complete_graph(Graph& graph) {
  require(graph.nodes.size() > 1, "have an output");
  graph.effective = graph.parameters;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) complete_node(graph, i);
  require(graph.output().ticks == 1, "end with something that is no spike train");
}

template <class Scalar>
Scalar effective_weight(WeightKind kind, Scalar weight) noexcept {
  switch (kind) {
    case WeightKind::int8: {
      constexpr Scalar scale = static_cast<Scalar>(0.01);
      const Scalar code = std::nearbyint(weight / scale);
      return scale * (code > 127 ? Scalar{127} : code < -128 ? Scalar{-128} : code);
    }
    case WeightKind::ternary:
      return std::abs(weight) < static_cast<Scalar>(0.5) ? Scalar{0} : sign(weight);
    case WeightKind::binary:
      return sign(weight);
    case WeightKind::real:
      break;
  }
  return weight;
}
template float effective_weight(WeightKind, float) noexcept;
template double effective_weight(WeightKind, double) noexcept;

template <class Scalar>
Scalar gate_of(Scalar weight) noexcept {
  return 1 / (1 + std::exp(-weight));
}
template float gate_of(float) noexcept;
template double gate_of(double) noexcept;

template <class Scalar>
void effective_weights(const Graph& graph, const Scalar* parameters, Scalar* effective) {
  std::copy_n(parameters, graph.parameters, effective);
  for (const Node& node : graph.nodes) {
    if (node.kind != NodeKind::dense || node.weight_kind == WeightKind::real) continue;
    for (std::size_t i = node.weights; i < node.weights + node.units * node.inputs; ++i) {
      effective[i] = effective_weight(node.weight_kind, parameters[i]);
    }
    if (node.weight_kind != WeightKind::int8 || node.bias == no_offset) continue;
    for (std::size_t i = node.bias; i < node.bias + node.units; ++i) {
      effective[i] = effective_weight(node.weight_kind, parameters[i]);
    }
  }
  for (const Node& node : graph.nodes) {
    if (node.kind != NodeKind::gate) continue;
    const Node& scores = graph.nodes[node.scores];
    for (std::size_t i = 0; i < scores.units * node.units; ++i) {
      effective[node.gates + i] = gate_of(effective[scores.weights + i]);
    }
  }
}
template void effective_weights(const Graph&, const float*, float*);
template void effective_weights(const Graph&, const double*, double*);

}  // namespace dd::polystep
