// Reads networks, their data and policies; asks networks for their values.
#include <algorithm>
#include <memory>
#include <span>
#include <utility>

#include "addon/edge.hpp"
#include "addon/polystep_objectives.hpp"
#include "polystep/objectives/control.hpp"
#include "polystep/objectives/network.hpp"

namespace dd::addon {
namespace {

using polystep::Node;
using polystep::NodeKind;

/// A number that stands for one of `count` things.
template <class Enumeration>
Enumeration enumeration(const Napi::Value& value, const char* name, std::size_t count) {
  const std::size_t number_value = size(value, name);
  if (number_value >= count) throw_type(name, "a number of the enumeration");
  return static_cast<Enumeration>(number_value);
}

Node node_of(const Napi::Object& given) {
  Node node;
  node.kind = enumeration<NodeKind>(given.Get("kind"), "kind", 5);
  node.units = size(given.Get("units"), "units");
  if (node.kind == NodeKind::input) return node;
  if (node.kind != NodeKind::select) node.source = size(given.Get("source"), "source");
  if (node.kind == NodeKind::gate || node.kind == NodeKind::select) {
    node.scores = size(given.Get("scores"), "scores");
  }
  if (node.kind == NodeKind::select) {
    for (const std::int32_t expert : typed_array<std::int32_t>(given.Get("experts"), "experts")) {
      node.experts.push_back(static_cast<std::size_t>(std::max(expert, 0)));
    }
  }
  if (node.kind == NodeKind::tree) node.weights = size(given.Get("weights"), "weights");
  if (node.kind != NodeKind::dense) return node;
  node.weights = size(given.Get("weights"), "weights");
  if (const Napi::Value bias = given.Get("bias"); !bias.IsUndefined()) node.bias = size(bias, "bias");
  node.weight_kind = enumeration<polystep::WeightKind>(given.Get("weightKind"), "weightKind", polystep::weight_kinds);
  node.activation = enumeration<polystep::Activation>(given.Get("activation"), "activation", polystep::activations);
  return node;
}

polystep::Graph graph_of(const Napi::Object& given) {
  polystep::Graph graph;
  const Napi::Array nodes = object(given.Get("nodes"), "nodes").As<Napi::Array>();
  for (std::uint32_t i = 0; i < nodes.Length(); ++i) graph.nodes.push_back(node_of(object(nodes.Get(i), "nodes")));
  graph.parameters = size(given.Get("parameters"), "parameters");
  graph.ticks = size(given.Get("ticks"), "ticks");
  graph.beta = number(given.Get("beta"), "beta");
  graph.threshold = number(given.Get("threshold"), "threshold");
  graph.levels = number(given.Get("levels"), "levels");
  polystep::complete_graph(graph);
  return graph;
}

polystep::Samples samples_of(const Napi::Object& given, const polystep::Graph& graph) {
  polystep::Samples samples;
  samples.features = graph.nodes.front().units;
  samples.outputs = graph.output().units;
  const Napi::Value inputs = given.Get("inputs");
  if (is_single(inputs)) {
    const auto values = typed_array<float>(inputs, "inputs");
    samples.inputs32.assign(values.begin(), values.end());
  } else {
    const auto values = typed_array<double>(inputs, "inputs");
    samples.inputs64.assign(values.begin(), values.end());
  }
  const std::size_t values = samples.inputs32.size() + samples.inputs64.size();
  samples.count = values / samples.features;
  if (samples.count == 0 || samples.count * samples.features != values) {
    throw Error(ErrorCode::shape_mismatch, "inputs", "`inputs` must be at least one row of the network's inputs");
  }
  if (const Napi::Value labels = given.Get("labels"); !labels.IsUndefined()) {
    const auto classes = typed_array<std::int32_t>(labels, "labels", samples.count);
    const auto most = static_cast<std::int32_t>(std::max<std::size_t>(2, samples.outputs));
    if (std::any_of(classes.begin(), classes.end(), [&](std::int32_t label) { return label < 0 || label >= most; })) {
      throw Error(ErrorCode::out_of_range, "labels", "`labels` must be numbers of outputs");
    }
    samples.labels.assign(classes.begin(), classes.end());
  } else {
    const auto targets = typed_array<double>(given.Get("targets"), "targets", samples.count * samples.outputs);
    samples.targets.assign(targets.begin(), targets.end());
  }
  return samples;
}

Napi::Value create_network(const Napi::CallbackInfo& info) {
  const Napi::Object options = object(info[0], "options");
  polystep::Graph graph = graph_of(object(options.Get("graph"), "graph"));
  polystep::Samples samples = samples_of(options, graph);
  const auto loss = enumeration<polystep::Loss>(options.Get("loss"), "loss", polystep::losses);
  if ((loss == polystep::Loss::mean_square) != samples.labels.empty()) {
    throw_type("loss", "'meanSquare' with targets, another one with labels");
  }
  const std::size_t batch = std::max<std::size_t>(1, size(options.Get("batchSize"), "batchSize"));
  return objective_handle(info.Env(),
                          std::make_shared<const polystep::Network>(std::move(graph), std::move(samples), loss, batch));
}

template <class Scalar, class Given>
void fill_values(const polystep::Network& network, std::span<const Scalar> parameters, std::span<const Given> inputs,
                 std::size_t node, std::size_t threads, std::span<double> out) {
  polystep::Batch<Scalar> batch;
  polystep::gather_inputs(inputs, network.samples().features, batch);
  network.values(parameters, batch, node, threads, out);
}

template <class Scalar>
Napi::Value values_as(const Napi::CallbackInfo& info) {
  const auto network = objective_of<polystep::Network>(info[0], "network");
  const auto parameters = typed_array<Scalar>(info[1], "parameters", network->dimension());
  const std::size_t node = size(info[3], "node"), threads = threads_of(info[4]);
  if (node >= network->graph().nodes.size()) throw_type("node", "the number of a node");
  const bool single = is_single(info[2]);
  const std::size_t given =
      single ? typed_array<float>(info[2], "inputs").size() : typed_array<double>(info[2], "inputs").size();
  const std::size_t features = network->samples().features;
  if (given % features != 0) {
    throw Error(ErrorCode::shape_mismatch, "inputs", "`inputs` must be rows of the network's inputs");
  }
  const Node& asked = network->graph().nodes[node];
  auto out = Napi::Float64Array::New(info.Env(), given / features * asked.units * asked.ticks);
  const std::span<double> to(out.Data(), out.ElementLength());
  const std::span<const Scalar> point = parameters;
  if (single) {
    fill_values<Scalar, float>(*network, point, typed_array<float>(info[2], "inputs"), node, threads, to);
  } else {
    fill_values<Scalar, double>(*network, point, typed_array<double>(info[2], "inputs"), node, threads, to);
  }
  return out;
}

/// (network, parameters, inputs, node, threads) -> values of the node, samples x (units x ticks).
Napi::Value network_values(const Napi::CallbackInfo& info) {
  return is_single(info[1]) ? values_as<float>(info) : values_as<double>(info);
}

Napi::Value create_control(const Napi::CallbackInfo& info) {
  const Napi::Object options = object(info[0], "options");
  polystep::ControlDescription description;
  description.environment = enumeration<polystep::Environment>(options.Get("environment"), "environment", 2);
  description.policy = graph_of(object(options.Get("graph"), "graph"));
  description.episodes = size(options.Get("episodes"), "episodes");
  description.horizon = size(options.Get("horizon"), "horizon");
  const bool balancing = description.environment == polystep::Environment::cart_pole;
  if (description.policy.nodes.front().units != (balancing ? 4u : 6u) ||
      description.policy.output().units != (balancing ? 2u : 3u) || description.episodes == 0) {
    throw_type("graph", "a policy of the environment's inputs and actions");
  }
  return objective_handle(info.Env(), std::make_shared<const polystep::Control>(std::move(description)));
}

/// (environment, state, action) -> the state after it and whether the episode is over.
Napi::Value control_step(const Napi::CallbackInfo& info) {
  const auto environment = enumeration<polystep::Environment>(info[0], "environment", 2);
  const auto given = typed_array<double>(info[1], "state", 4);
  polystep::ControlState state{given[0], given[1], given[2], given[3]};
  const int action = static_cast<int>(size(info[2], "action"));
  const bool over = environment == polystep::Environment::cart_pole ? polystep::cart_pole_step(state, action)
                                                                    : polystep::acrobot_step(state, action);
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("state", copy_to_typed_array<double>(info.Env(), state));
  result.Set("done", over);
  return result;
}

}  // namespace

void export_polystep_networks(Napi::Object room) {
  export_function<create_network>(room, "createNetwork");
  export_function<network_values>(room, "networkValues");
  export_function<create_control>(room, "createControl");
  export_function<control_step>(room, "controlStep");
}

}  // namespace dd::addon
