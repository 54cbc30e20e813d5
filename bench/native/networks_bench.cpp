// What a candidate of a hard network costs in block mode and as a whole point, one JSON object per network and layer.
//
//   dd_bench_networks [--isa=avx2] [--seconds=1]
//
// Blocks of eight parameters, 16 candidates each (an orthoplex) at distance 0.3 of random first parameters, float32,
// one thread, inputs random: a fifth of them zero as pixels are. Blocks of each layer's weights are timed apart,
// because a change in the first layer reaches further.
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/isa.hpp"
#include "core/philox.hpp"
#include "options.hpp"
#include "polystep/objectives/network.hpp"

namespace dd::bench {
namespace {

using polystep::Activation;
using polystep::Graph;
using polystep::Node;
using polystep::NodeKind;
using polystep::WeightKind;

double now() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

Graph layered(const std::vector<std::size_t>& units, Activation hidden, Activation last, WeightKind kind) {
  Graph graph;
  Node input;
  input.units = units[0];
  graph.nodes.push_back(input);
  for (std::size_t l = 1; l < units.size(); ++l) {
    Node node;
    node.kind = NodeKind::dense;
    node.source = l - 1;
    node.units = units[l];
    node.activation = l + 1 < units.size() ? hidden : last;
    node.weight_kind = kind;
    node.weights = graph.parameters;
    node.bias = node.weights + units[l] * units[l - 1];
    graph.parameters = node.bias + units[l];
    graph.nodes.push_back(node);
  }
  polystep::complete_graph(graph);
  return graph;
}

polystep::Samples random_samples(std::size_t count, std::size_t features, std::size_t outputs) {
  PhiloxStream random(1, 0, 0);
  polystep::Samples samples;
  samples.count = count;
  samples.features = features;
  samples.outputs = outputs;
  for (std::size_t i = 0; i < count * features; ++i) {
    samples.inputs32.push_back(static_cast<float>(std::max(0.0, 1.25 * random.next_uniform() - 0.25)));
  }
  for (std::size_t i = 0; i < count; ++i) samples.labels.push_back(static_cast<std::int32_t>(random.next_below(10)));
  return samples;
}

void measure(const char* name, Graph graph, std::size_t batch, double seconds) {
  const std::vector<Node> nodes = graph.nodes;
  const std::size_t features = nodes.front().units, outputs = graph.output().units;
  const polystep::Network network(std::move(graph), random_samples(2 * batch, features, outputs),
                                  polystep::Loss::cross_entropy, batch);
  const auto evaluator = network.float32_evaluator(1);
  PhiloxStream random(2, 0, 0);
  std::vector<float> base(network.dimension());
  for (std::size_t l = 1; l < nodes.size(); ++l) {
    const double range = 1 / std::sqrt(static_cast<double>(nodes[l].inputs));
    for (std::size_t i = nodes[l].weights; i < nodes[l].bias + nodes[l].units; ++i) {
      base[i] = static_cast<float>(range * (2 * random.next_uniform() - 1));
    }
  }
  if (nodes.back().activation == Activation::lif_counts) {
    std::fill_n(base.begin() + static_cast<std::ptrdiff_t>(nodes.back().bias), outputs, 0.15f);
  }
  evaluator->set_base(base, 1);

  const double whole_start = now();
  std::size_t points = 0;
  double value = 0;
  for (; now() - whole_start < seconds; ++points) {
    evaluator->evaluate(MatrixView<const float>::row_major(base.data(), 1, base.size()), {&value, 1});
  }
  const double whole = (now() - whole_start) / static_cast<double>(points);

  constexpr std::size_t width = 8, rows = 2 * width;
  std::vector<float> candidates(rows * width);
  std::vector<double> values(rows);
  for (std::size_t l = 1; l < nodes.size(); ++l) {
    const std::size_t blocks = std::max<std::size_t>(1, nodes[l].units * nodes[l].inputs / width);
    const double start = now();
    std::size_t scored = 0;
    while (now() - start < seconds) {
      const std::size_t first = nodes[l].weights + width * random.next_below(static_cast<std::uint32_t>(blocks));
      for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t j = 0; j < width; ++j) {
          const double direction = 2 * random.next_uniform() - 1;
          candidates[r * width + j] = base[first + j] + static_cast<float>(0.3 * direction);
        }
      }
      evaluator->evaluate_replacements(first, MatrixView<const float>::row_major(candidates.data(), rows, width),
                                       values);
      scored += rows;
    }
    std::printf(
        "{\"network\":\"%s\",\"layer\":%zu,\"batch\":%zu,\"parameters\":%zu,\"isa\":\"%s\","
        "\"microsecondsPerCandidate\":%.3f,\"microsecondsWhole\":%.2f}\n",
        name, l, batch, network.dimension(), isa_name(active_isa()),
        1e6 * (now() - start) / static_cast<double>(scored), 1e6 * whole);
  }
}

}  // namespace
}  // namespace dd::bench

int main(int count, char** arguments) {
  using namespace dd::bench;
  using dd::polystep::Activation;
  using dd::polystep::WeightKind;
  double seconds = 1;
  try {
    read_options(count, arguments, [&](const std::string& name, const std::string& value) {
      if (name != "--seconds") return false;
      seconds = std::stod(value);
      return true;
    });
    measure("lif 64-32-10", layered({64, 32, 10}, Activation::lif_spikes, Activation::lif_counts, WeightKind::real),
            128, seconds);
    measure("lif 784-128-10", layered({784, 128, 10}, Activation::lif_spikes, Activation::lif_counts, WeightKind::real),
            512, seconds);
    measure("relu 784-128-128-10",
            layered({784, 128, 128, 10}, Activation::relu, Activation::identity, WeightKind::real), 512, seconds);
    measure("sign binary 784-128-128-10",
            layered({784, 128, 128, 10}, Activation::sign, Activation::identity, WeightKind::binary), 512, seconds);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
  return 0;
}
