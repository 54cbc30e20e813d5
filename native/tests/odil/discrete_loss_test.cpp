// The loss as gradient methods see it: levels and back, its gradient by differences, weights, and what is not finite.
#include "odil/discrete_loss.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "odil/history.hpp"

using namespace dd::odil;

namespace {

/// u' = p v on cells, v^2 = 1 at nodes, log(u) somewhere: two fields of different location and a parameter.
Problem two_fields() {
  ProblemDescription description;
  Graph& graph = description.graph;
  description.axis_names = {"x"};
  const Shape at_cells{1, {8, 1, 1, 1, 1}}, at_nodes{1, {9, 1, 1, 1, 1}};
  description.fields = {{"u", at_cells, "c"}, {"v", at_nodes, "n"}};
  description.parameters = 1;
  const NodeId u = graph.access(0, {}), v = graph.access(1, {});
  const NodeId slope = graph.where_index(0, 1, u, graph.subtract(u, graph.access(0, Shift{-1})));
  const NodeId flow = graph.subtract(slope, graph.multiply(graph.parameter(0), v));
  const NodeId size = graph.subtract(graph.multiply(v, v), graph.constant(1));
  const NodeId operands[] = {u};
  description.blocks.push_back({"flow", false, false, at_cells, {flow}});
  description.blocks.push_back({"size", false, false, at_nodes, {size}});
  description.blocks.push_back({"entropy", false, true, at_cells, {graph.make(Op::log, operands)}});
  return Problem(std::move(description));
}

std::vector<double> positive_state(const Problem& problem) {
  std::vector<double> state(problem.unknowns());
  for (std::size_t k = 0; k < state.size(); ++k) state[k] = 1 + 0.3 * std::sin(static_cast<double>(k));
  return state;
}

const BlockWeights weights{{.initial = 2, .half_life = 4}, {}, {.initial = 0.5}};

}  // namespace

TEST_SUITE_BEGIN("odil/discrete_loss");

TEST_CASE("levels are composed and the gradient by them is the slope of the loss") {
  const Problem problem = two_fields();
  const std::vector<double> factors{1, 0.5, 2};
  DiscreteLoss<double> loss(problem, Normalization::mean, weights, decompose_fields(problem, 3, factors));
  CHECK(loss.unknowns() == (8 + 4 + 2) + (9 + 5 + 3) + 1);
  const std::vector<double> state = positive_state(problem);
  std::vector<double> z(loss.unknowns()), back(state.size()), gradient(z.size()), scratch(z.size());
  loss.decompose(state, z);
  loss.compose(z, back, 1);
  CHECK(back == state);
  for (std::size_t k = 0; k < z.size(); ++k) z[k] += 0.01 * std::cos(static_cast<double>(3 * k));
  const double value = loss.evaluate(z, gradient);
  CHECK(loss.loss(z) == value);
  for (std::size_t k = 0; k < z.size(); ++k) {
    const double kept = z[k], step = 1e-6;
    z[k] = kept + step;
    const double above = loss.loss(z);
    z[k] = kept - step;
    const double below = loss.loss(z);
    z[k] = kept;
    CHECK(gradient[k] == doctest::Approx((above - below) / (2 * step)).epsilon(1e-7));
  }
}

TEST_CASE("weights: squared for squares, as they are for raw blocks, halved as often as they say") {
  const Problem problem = two_fields();
  DiscreteLoss<double> plain(problem, Normalization::sum, {}, {}), weighted(problem, Normalization::sum, weights, {});
  const std::vector<double> state = positive_state(problem);
  std::vector<double> residuals(problem.residuals());
  problem.evaluate<double>(state, residuals, 1);
  double flow = 0, size = 0, entropy = 0;
  for (std::size_t i = 0; i < 8; ++i) flow += residuals[i] * residuals[i];
  for (std::size_t i = 8; i < 17; ++i) size += residuals[i] * residuals[i];
  for (std::size_t i = 17; i < 25; ++i) entropy += residuals[i] / 8;
  CHECK(plain.loss(state) == doctest::Approx(flow + size + entropy).epsilon(1e-14));
  CHECK_FALSE(plain.begin(8));
  CHECK(weighted.loss(state) == doctest::Approx(4 * flow + size + 0.5 * entropy).epsilon(1e-14));
  CHECK(weighted.begin(8));
  CHECK(weighted.loss(state) == doctest::Approx(0.25 * flow + size + 0.5 * entropy).epsilon(1e-14));
}

TEST_CASE("what is not finite is named") {
  const Problem problem = two_fields();
  DiscreteLoss<double> loss(problem, Normalization::mean, {}, {});
  std::vector<double> state = positive_state(problem);
  state[5] = -1;
  loss.not_finite_at(state);
  CHECK(loss.failure().name == "entropy[5]");
  state[5] = 1;
  state[8 + 2] = 1e170;
  loss.not_finite_at(state);
  CHECK(loss.failure().name == "size[2]");
  state[8 + 2] = 1e100;
  loss.not_finite_at(state);
  CHECK(loss.failure().what == "the loss is larger than any number");
}

TEST_CASE("a history of any length stays short and holds the last record") {
  struct Record {
    std::uint64_t iteration = 0;
  };
  History<Record> bounded, every(100);
  for (std::uint64_t k = 0; k <= 100'001; ++k) {
    bounded.add({k});
    every.add({k});
  }
  const std::vector<Record> records = bounded.records();
  CHECK(records.size() <= History<Record>::most + 1);
  CHECK(records.size() > History<Record>::most / 2);
  CHECK(records.front().iteration == 0);
  CHECK(records[1].iteration == 64);
  CHECK(records.back().iteration == 100'001);
  CHECK(every.records().size() == 1002);
  CHECK(History<Record>().records().empty());
}

TEST_SUITE_END();
