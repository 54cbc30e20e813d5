// Networks of every kind: following a change equals computing anew. Parameters and inputs are small multiples of powers
// of two where arithmetic is then exact, so that equal means equal; random real numbers in float64 elsewhere.
#include "polystep/objectives/network.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "polystep/objectives/support.hpp"
#include "tests/polystep/objective_checks.hpp"

namespace {

using dd::PhiloxStream;
using dd::polystep::Activation;
using dd::polystep::Graph;
using dd::polystep::Loss;
using dd::polystep::Network;
using dd::polystep::Node;
using dd::polystep::NodeKind;
using dd::polystep::Samples;
using dd::polystep::WeightKind;

constexpr std::size_t features = 5;

struct Builder {
  Graph graph;

  Builder() {
    Node input;
    input.units = features;
    graph.nodes.push_back(input);
  }
  std::size_t dense(std::size_t source, std::size_t units, Activation activation, WeightKind kind = WeightKind::real,
                    bool bias = true) {
    Node node;
    node.kind = NodeKind::dense;
    node.source = source;
    node.units = units;
    node.activation = activation;
    node.weight_kind = kind;
    node.weights = graph.parameters;
    graph.parameters += units * graph.nodes[source].units;
    if (bias) {
      node.bias = graph.parameters;
      graph.parameters += units;
    }
    graph.nodes.push_back(node);
    return graph.nodes.size() - 1;
  }
  std::size_t add(const Node& node) {
    graph.nodes.push_back(node);
    return graph.nodes.size() - 1;
  }
};

Samples some_samples(std::size_t count, std::size_t classes, bool exact, std::size_t outputs = 0) {
  PhiloxStream random(1, static_cast<std::uint32_t>(count), 96);
  Samples samples;
  samples.count = count;
  samples.features = features;
  samples.outputs = outputs;
  for (std::size_t i = 0; i < count * features; ++i) {
    samples.inputs64.push_back(exact ? static_cast<double>(random.next_below(9)) - 4 : 2 * random.next_uniform() - 1);
  }
  for (std::size_t i = 0; i < count; ++i) {
    samples.labels.push_back(static_cast<std::int32_t>(random.next_below(static_cast<std::uint32_t>(classes))));
  }
  for (std::size_t i = 0; i < count * outputs; ++i) samples.targets.push_back(random.next_uniform());
  return samples;
}

Network make(Builder& builder, Samples samples, Loss loss, std::size_t batch = 1000) {
  dd::polystep::complete_graph(builder.graph);
  return {builder.graph, std::move(samples), loss, batch};
}

const auto eighths = [](PhiloxStream& random) { return (static_cast<double>(random.next_below(33)) - 16) / 8; };
const auto reals = [](PhiloxStream& random) { return 2 * random.next_uniform() - 1; };

void check_exact(const Network& network) {
  for (const std::size_t width : {1, 4, 8, 33}) {
    CAPTURE(width);
    CHECK(dd::polystep::test::check_replacements<float>(network, width, eighths, 0) > 0);
    CHECK(dd::polystep::test::check_replacements<double>(network, width, eighths, 0) > 0);
  }
}

void check_real(const Network& network) {
  for (const std::size_t width : {1, 8, 33}) {
    CAPTURE(width);
    CHECK(dd::polystep::test::check_replacements<double>(network, width, reals, 1e-12) > 0);
  }
}

}  // namespace

TEST_CASE("network: hard layers, exactly") {
  for (const Loss loss : {Loss::zero_one, Loss::cross_entropy}) {
    for (const Activation activation : {Activation::relu, Activation::sign, Activation::step}) {
      for (const WeightKind kind : {WeightKind::real, WeightKind::ternary, WeightKind::binary}) {
        CAPTURE(static_cast<int>(loss));
        CAPTURE(static_cast<int>(activation));
        CAPTURE(static_cast<int>(kind));
        Builder builder;
        const std::size_t first = builder.dense(0, 6, activation, kind);
        const std::size_t second = builder.dense(first, 5, activation, kind);
        builder.dense(second, 3, Activation::identity, kind);
        check_exact(make(builder, some_samples(37, 3, true), loss));
      }
    }
  }
}

TEST_CASE("network: spiking layers that decay by half, exactly") {
  Builder builder;
  builder.graph.beta = 0.5;
  builder.graph.ticks = 4;
  const std::size_t first = builder.dense(0, 7, Activation::lif_spikes);
  const std::size_t second = builder.dense(first, 6, Activation::lif_spikes);
  builder.dense(second, 3, Activation::lif_counts);
  check_exact(make(builder, some_samples(40, 3, true), Loss::cross_entropy));
}

TEST_CASE("network: real numbers to rounding") {
  for (const Activation activation : {Activation::tanh, Activation::staircase, Activation::relu, Activation::sign}) {
    for (const WeightKind kind : {WeightKind::real, WeightKind::int8}) {
      // Sums of hundredths are zero or nearly so: their sign would be a matter of rounding.
      if (activation == Activation::sign && kind == WeightKind::int8) continue;
      CAPTURE(static_cast<int>(activation));
      Builder builder;
      const std::size_t first = builder.dense(0, 8, activation);
      const std::size_t second = builder.dense(first, 6, activation, kind);
      builder.dense(second, 4, Activation::identity);
      check_real(make(builder, some_samples(50, 4, false), Loss::cross_entropy));
    }
  }
  Builder spiking;
  const std::size_t hidden = spiking.dense(0, 9, Activation::lif_spikes);
  spiking.dense(hidden, 4, Activation::lif_counts);
  check_real(make(spiking, some_samples(33, 4, false), Loss::cross_entropy));

  Builder squares;
  squares.dense(squares.dense(0, 5, Activation::tanh), 2, Activation::identity);
  check_real(make(squares, some_samples(20, 2, false, 2), Loss::mean_square));
}

TEST_CASE("network: attention by the largest score") {
  Builder builder;
  const std::size_t hidden = builder.dense(0, 6, Activation::relu);
  const std::size_t keys = builder.dense(hidden, 4, Activation::identity, WeightKind::real, false);
  const std::size_t values = builder.dense(hidden, 6, Activation::identity);
  Node gate;
  gate.kind = NodeKind::gate;
  gate.units = 6;
  gate.source = values;
  gate.scores = keys;
  builder.dense(builder.add(gate), 3, Activation::identity);
  const Network network = make(builder, some_samples(45, 3, false), Loss::cross_entropy);
  // Wide replacements rarely hit the keys, which both score and gate.
  CHECK(dd::polystep::test::check_replacements<double>(network, 6, reals, 1e-12, 400) > 0);
  check_real(network);
}

TEST_CASE("network: a mixture of experts") {
  for (const bool exact : {true, false}) {
    Builder builder;
    const std::size_t hidden = builder.dense(0, 6, Activation::relu);
    Node select;
    select.kind = NodeKind::select;
    select.units = 6;
    select.scores = builder.dense(hidden, 3, Activation::identity);
    for (int expert = 0; expert < 3; ++expert) {
      const std::size_t inner = builder.dense(hidden, 6, Activation::relu);
      select.experts.push_back(builder.dense(inner, 6, Activation::identity));
    }
    builder.dense(builder.add(select), 4, Activation::identity);
    const Network network = make(builder, some_samples(45, 4, exact), Loss::cross_entropy);
    // Products of four small numbers are exact in float64, not in float32.
    if (exact) CHECK(dd::polystep::test::check_replacements<double>(network, 8, eighths, 0) > 0);
    if (!exact) check_real(network);
  }
}

TEST_CASE("network: an oblique tree, exactly") {
  for (const Loss loss : {Loss::zero_one, Loss::f1}) {
    Builder builder;
    const std::size_t decisions = builder.dense(0, 7, Activation::step);
    Node tree;
    tree.kind = NodeKind::tree;
    tree.units = 1;
    tree.source = decisions;
    tree.weights = builder.graph.parameters;
    builder.graph.parameters += 8;
    builder.add(tree);
    check_exact(make(builder, some_samples(50, 2, true), loss));
  }
}

TEST_CASE("network: the minibatch belongs to (seed, step), and threads change nothing") {
  Builder builder;
  builder.dense(builder.dense(0, 6, Activation::tanh), 3, Activation::identity);
  const Network network = make(builder, some_samples(100, 3, false), Loss::cross_entropy, 24);
  PhiloxStream random(2, 0, 95);
  std::vector<double> points(90 * network.dimension());
  for (double& x : points) x = reals(random);
  const auto rows = dd::MatrixView<const double>::row_major(points.data(), 90, network.dimension());
  const auto score = [&](std::uint64_t seed, std::uint64_t step, std::size_t threads) {
    const auto evaluator = network.float64_evaluator(seed);
    evaluator->begin_step(step + 7, 1);  // another epoch before
    evaluator->begin_step(step, threads);
    std::vector<double> values(90);
    dd::polystep::evaluate_points(*evaluator, rows, std::span(values), threads, 7);
    return values;
  };
  CHECK(score(1, 2, 1) == score(1, 2, 4));
  CHECK(score(1, 2, 1) != score(1, 3, 1));
  CHECK(score(1, 2, 1) != score(2, 2, 1));

  // An epoch looks at every sample once, but for the rest of the last batch.
  dd::polystep::BatchOrder order(100, 24, 5);
  std::vector<int> seen(100, 0);
  for (std::uint64_t step = 4; step < 8; ++step) {
    for (const std::uint32_t sample : order.of_step(step)) ++seen[sample];
  }
  CHECK(std::count(seen.begin(), seen.end(), 1) == 96);
  CHECK(std::count(seen.begin(), seen.end(), 0) == 4);
}

namespace {

/// Many candidates of one unit in one call, which looks losses up, and one by one from evaluators that never do.
template <class Scalar>
void check_answers(const Network& network, std::size_t first, std::size_t width) {
  PhiloxStream random(11, static_cast<std::uint32_t>(first), 99);
  const auto many = dd::polystep::test::evaluator_of<Scalar>(network, 3);
  const auto single = dd::polystep::test::evaluator_of<Scalar>(network, 3);
  std::vector<Scalar> base(network.dimension());
  for (Scalar& value : base) value = static_cast<Scalar>(reals(random));
  const double before = many->set_base(base, 1);
  static_cast<void>(single->set_base(base, 1));
  single->replace(0, std::span<const Scalar>(base).first(1));  // from now on the base may be another one
  constexpr std::size_t rows = 150;
  std::vector<Scalar> candidates(rows * width);
  for (Scalar& value : candidates) value = static_cast<Scalar>(2 * reals(random));
  for (std::size_t i = 0; i < candidates.size(); i += 41) candidates[i] = std::numeric_limits<Scalar>::quiet_NaN();
  for (std::size_t i = 7; i < candidates.size(); i += 43) candidates[i] = std::numeric_limits<Scalar>::infinity();
  std::vector<double> values(rows);
  many->evaluate_replacements(first, dd::MatrixView<const Scalar>::row_major(candidates.data(), rows, width), values);
  int changed = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    double value = 0;
    const Scalar* const candidate = candidates.data() + i * width;
    single->evaluate_replacements(first, dd::MatrixView<const Scalar>::row_major(candidate, 1, width), {&value, 1});
    CHECK((values[i] == value || (std::isnan(values[i]) && std::isnan(value))));
    changed += value != before ? 1 : 0;
  }
  CHECK(changed > 10);
}

}  // namespace

TEST_CASE("network: losses that are looked up are those of the walk, bit by bit") {
  for (const Loss loss : {Loss::zero_one, Loss::cross_entropy}) {
    for (const Activation activation : {Activation::sign, Activation::step, Activation::staircase}) {
      CAPTURE(static_cast<int>(activation));
      Builder builder;
      const std::size_t hidden = builder.dense(0, 6, activation);
      const std::size_t second = builder.dense(hidden, 5, activation);
      builder.dense(second, 4, Activation::identity);
      const Network network = make(builder, some_samples(50, 4, false), loss);
      for (const std::size_t first : {std::size_t{0}, 2 * features, builder.graph.nodes[second].weights + 6}) {
        check_answers<float>(network, first, 4);
        check_answers<double>(network, first, 3);
      }
    }
    Builder spiking;
    const std::size_t hidden = spiking.dense(0, 9, Activation::lif_spikes);
    const std::size_t second = spiking.dense(hidden, 6, Activation::lif_spikes);
    spiking.dense(second, 4, Activation::lif_counts);
    const Network network = make(spiking, some_samples(50, 4, false), loss);
    for (const std::size_t first : {std::size_t{0}, 3 * features, spiking.graph.nodes[second].weights}) {
      check_answers<float>(network, first, 5);
      check_answers<double>(network, first, 5);
    }
  }
}
