// Candidates as steps from a base: combinations of a subspace's directions and products of thin matrices are worth what
// the whole points are. Numbers are small multiples of powers of two, so that equal means equal.
#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <vector>

#include "core/philox.hpp"
#include "polystep/baselines/evolution_strategy.hpp"
#include "polystep/objectives/network.hpp"
#include "polystep/subspace.hpp"
#include "tests/polystep/objective_checks.hpp"

namespace {

using namespace dd;
using namespace dd::polystep;

constexpr std::size_t features = 6;

double eighths(PhiloxStream& random) { return (static_cast<double>(random.next_below(33)) - 16) / 8; }

/// Layers of `units` with real weights and biases.
Network layers(std::vector<std::size_t> units, Activation activation, WeightKind kind = WeightKind::real) {
  Graph graph;
  graph.beta = 0.5;
  graph.ticks = 3;
  graph.nodes.emplace_back().units = features;
  for (std::size_t i = 0; i < units.size(); ++i) {
    Node node;
    node.kind = NodeKind::dense;
    node.source = i;
    node.units = units[i];
    const bool last = i + 1 == units.size(), spiking = activation == Activation::lif_spikes;
    node.activation = !last ? activation : spiking ? Activation::lif_counts : Activation::identity;
    node.weight_kind = kind;
    node.weights = graph.parameters;
    node.bias = node.weights + node.units * graph.nodes[i].units;
    graph.parameters = node.bias + node.units;
    graph.nodes.push_back(node);
  }
  complete_graph(graph);
  Samples samples;
  samples.count = 21;
  samples.features = features;
  PhiloxStream random(4, 1, 95);
  for (std::size_t i = 0; i < samples.count * features; ++i) {
    // A feature that is dark in every sample, too.
    samples.inputs64.push_back(i % features == 2 ? 0 : static_cast<double>(random.next_below(5)) - 2);
  }
  for (std::size_t i = 0; i < samples.count; ++i) {
    samples.labels.push_back(static_cast<std::int32_t>(random.next_below(static_cast<std::uint32_t>(units.back()))));
  }
  return {graph, std::move(samples), Loss::zero_one, 100};
}

std::vector<SubspaceEntry> entries_of(const std::vector<std::size_t>& units, SubspaceKind kind) {
  std::vector<SubspaceEntry> entries;
  std::size_t inputs = features;
  for (const std::size_t own : units) {
    SubspaceEntry weights;
    weights.rows = own;
    weights.columns = inputs;
    weights.rank = 2;
    weights.coordinates = kind == SubspaceKind::factored ? 2 * own : 9;
    weights.projected = true;
    weights.sparse = kind == SubspaceKind::sparse;
    SubspaceEntry bias;
    bias.rows = bias.coordinates = own;
    entries.push_back(weights);
    entries.push_back(bias);
    inputs = own;
  }
  return entries;
}

/// Bases of eighths, so that sums are exact.
std::vector<std::vector<double>> exact_bases(const std::vector<SubspaceEntry>& entries) {
  std::vector<std::vector<double>> bases;
  PhiloxStream random(5, 2, 95);
  for (const SubspaceEntry& entry : entries) {
    std::vector<double>& basis = bases.emplace_back();
    if (!entry.projected) continue;
    basis.resize(entry.parameters() * entry.coordinates);
    for (double& value : basis) value = eighths(random);
  }
  return bases;
}

}  // namespace

TEST_CASE_TEMPLATE("network: steps along directions are worth what whole points are", Scalar, float, double) {
  const std::vector<std::size_t> units{5, 4, 3};
  std::map<SubspaceKind, int> changed;
  for (const Activation activation : {Activation::sign, Activation::relu, Activation::lif_spikes}) {
    const Network network = layers(units, activation);
    const auto evaluator = test::evaluator_of<Scalar>(network, 1);
    PhiloxStream random(6, 3, 95);
    std::vector<Scalar> base(network.dimension());
    for (Scalar& value : base) value = static_cast<Scalar>(eighths(random));
    evaluator->begin_step(0, 1);
    static_cast<void>(evaluator->set_base(base, 1));
    for (const SubspaceKind kind : {SubspaceKind::hybrid, SubspaceKind::sparse, SubspaceKind::factored}) {
      CAPTURE(static_cast<int>(kind));
      const bool dense = kind == SubspaceKind::hybrid;
      std::vector<SubspaceEntry> entries = entries_of(units, kind);
      const Subspace<Scalar> subspace(kind, entries, 3, 0,
                                      dense ? exact_bases(entries) : std::vector<std::vector<double>>(), 1);
      const std::vector<Scalar> zeros(subspace.coordinates());
      for (const SubspaceEntry& entry : subspace.entries()) {
        if (!entry.projected) continue;
        REQUIRE(evaluator->can_follow(entry.first_parameter, entry.parameters()));
        constexpr std::size_t count = 3, candidates = 7;
        const std::size_t first = entry.first_coordinate + 2;
        typename Subspace<Scalar>::DirectionStorage storage;
        const Directions<Scalar> directions = subspace.directions(first, count, storage);
        std::vector<Scalar> coefficients(candidates * count);
        for (Scalar& value : coefficients) value = static_cast<Scalar>(4 * eighths(random));
        std::vector<double> values(candidates);
        evaluator->evaluate_along(directions,
                                  MatrixView<const Scalar>::row_major(coefficients.data(), candidates, count), values);
        for (std::size_t i = 0; i < candidates; ++i) {
          std::vector<Scalar> point = base;
          subspace.replace(base, zeros, first, std::span<const Scalar>(coefficients).subspan(i * count, count), point);
          const double whole = test::whole(*evaluator, point);
          // Orthonormal rows and signs over a root round; a sample at a threshold may fall the other way.
          if (dense) CHECK(values[i] == whole);
          if (!dense) CHECK(std::abs(values[i] - whole) <= 1.01 / 21);
          changed[kind] += values[i] != evaluator->base_loss() ? 1 : 0;
        }
      }
    }
  }
  for (const auto& entry : changed) {
    CAPTURE(static_cast<int>(entry.first));
    CHECK(entry.second > 0);
  }
}

TEST_CASE("network: what cannot be followed says so") {
  const std::vector<std::size_t> units{5, 3};
  const Network network = layers(units, Activation::relu);
  const auto evaluator = network.float64_evaluator(1);
  CHECK(evaluator->can_follow(0, 30));
  CHECK_FALSE(evaluator->can_follow(0, 29));
  CHECK_FALSE(evaluator->can_follow(30, 5));
  const Network quantised = layers(units, Activation::relu, WeightKind::int8);
  const auto rounded = quantised.float64_evaluator(1);
  CHECK_FALSE(rounded->can_follow(0, 30));
  const std::vector<StepTensor> whole{{5, 6, 2}, {5, 1, 0}, {3, 5, 1}, {3, 1, 0}};
  CHECK(evaluator->can_multiply(whole));
  CHECK_FALSE(rounded->can_multiply(whole));
  CHECK_FALSE(evaluator->can_multiply(std::vector<StepTensor>{{5, 6, 2}, {5, 1, 0}, {3, 5, 0}, {3, 1, 0}}));
  CHECK_FALSE(evaluator->can_multiply(std::vector<StepTensor>{{5, 6, 2}, {5, 1, 0}, {3, 5, 1}}));
  CHECK_FALSE(evaluator->can_multiply(std::vector<StepTensor>{{6, 5, 2}, {5, 1, 0}, {3, 5, 1}, {3, 1, 0}}));
}

TEST_CASE_TEMPLATE("network: products of thin matrices are worth what whole points are", Scalar, float, double) {
  for (const Activation activation : {Activation::sign, Activation::relu, Activation::lif_spikes}) {
    for (const std::size_t rank : {1, 3}) {
      const Network network = layers({5, 4, 3}, activation);
      const auto evaluator = test::evaluator_of<Scalar>(network, 1);
      const std::vector<StepTensor> tensors{{5, 6, rank}, {5, 1, 0}, {4, 5, rank}, {4, 1, 0}, {3, 4, rank}, {3, 1, 0}};
      REQUIRE(evaluator->can_multiply(tensors));
      PhiloxStream random(8, static_cast<std::uint32_t>(rank), 95);
      std::vector<Scalar> base(network.dimension());
      for (Scalar& value : base) value = static_cast<Scalar>(eighths(random));
      evaluator->begin_step(0, 1);
      static_cast<void>(evaluator->set_base(base, 1));
      std::size_t width = 0;
      for (const StepTensor& tensor : tensors) width += tensor.numbers();
      constexpr std::size_t candidates = 6;
      std::vector<Scalar> numbers(candidates * width), factors;
      for (Scalar& value : numbers) value = static_cast<Scalar>(eighths(random));
      std::vector<const Scalar*> rows;
      for (std::size_t n = 0; n < candidates; ++n) {
        factors.push_back(n % 2 == 0 ? Scalar(0.25) : Scalar(-0.5));
        rows.push_back(numbers.data() + n * width);
      }
      std::vector<double> values(candidates);
      evaluator->evaluate_products(ProductSteps<Scalar>{tensors, factors, rows}, values);
      for (std::size_t n = 0; n < candidates; ++n) {
        std::vector<Scalar> point = base;
        std::size_t at = 0;
        const Scalar* own = rows[n];
        for (const StepTensor& tensor : tensors) {
          for (std::size_t i = 0; i < tensor.parameters(); ++i) {
            Scalar step = tensor.rank == 0 ? own[i] : Scalar(0);
            for (std::size_t k = 0; k < tensor.rank; ++k) {
              const std::size_t r = i / tensor.columns, c = i % tensor.columns;
              step += own[r * tensor.rank + k] * own[(tensor.rows + c) * tensor.rank + k];
            }
            point[at + i] += factors[n] * step;
          }
          at += tensor.parameters();
          own += tensor.numbers();
        }
        CHECK(values[n] == test::whole(*evaluator, point));
      }
    }
  }
}

TEST_CASE("perturbations: factors are the direction") {
  const std::vector<PerturbedTensor> tensors{{7, 5, 2}, {9, 1, 0}, {3, 4, 3}};
  const Perturbations perturbations(11, Noise::normal, tensors);
  std::vector<double> direction(perturbations.dimension()), factors(perturbations.numbers());
  perturbations.write(4, 9, direction);
  perturbations.write_factors(4, 9, factors);
  std::size_t at = 0, number = 0;
  for (const PerturbedTensor& tensor : tensors) {
    for (std::size_t i = 0; i < tensor.parameters(); ++i) {
      double value = tensor.rank == 0 ? factors[number + i] : 0;
      for (std::size_t k = 0; k < tensor.rank; ++k) {
        value += factors[number + i / tensor.columns * tensor.rank + k] *
                 factors[number + (tensor.rows + i % tensor.columns) * tensor.rank + k];
      }
      CHECK(std::abs(value - direction[at + i]) < 1e-12);
    }
    at += tensor.parameters();
    number += tensor.numbers();
  }
}
