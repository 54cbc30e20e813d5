// RCO: geometry and trajectory against the official code's vectors, results against enumeration.
#include "quantize/rco.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "quantize/rco_geometry.hpp"
#include "tests/json.hpp"

namespace {

using namespace dd;
using namespace dd::quantize;

bool near(double value, double expected, double relative, double absolute) {
  return std::abs(value - expected) <= absolute + relative * std::abs(expected);
}

void check_near(std::span<const double> values, const std::vector<double>& expected, double relative, double absolute) {
  REQUIRE(values.size() == expected.size());
  double worst = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    worst = std::max(worst, std::abs(values[i] - expected[i]) - relative * std::abs(expected[i]));
  }
  CHECK(worst <= absolute);
}

double normal_number(PhiloxStream& random) {
  const double radius = std::sqrt(-2 * std::log(1 - random.next_uniform()));
  return radius * std::cos(6.283185307179586 * random.next_uniform());
}

/// The problems of specs/quant.md, section 11.4: costs w_i * bits, w_i in 1 .. 5, budget at 40 % of the span.
struct Synthetic {
  std::size_t groups, options;
  std::vector<double> weights, costs, table, interactions, budget;

  Synthetic(std::size_t n, std::size_t k, bool quadratic, std::uint64_t seed) : groups(n), options(k) {
    PhiloxStream random(seed, 31);
    double total = 0;
    for (std::size_t i = 0; i < n; ++i) {
      weights.push_back(1 + random.next_below(5));
      total += weights.back();
      const double scale = std::exp(normal_number(random));
      std::vector<double> row;
      for (std::size_t o = 0; o < k; ++o) row.push_back(scale * random.next_uniform());
      std::sort(row.begin(), row.end(), std::greater<>());
      table.insert(table.end(), row.begin(), row.end());
    }
    for (std::size_t o = 0; o < k; ++o) costs.push_back(2 + static_cast<double>(o));
    budget.push_back(std::floor(total * (2 + 0.4 * static_cast<double>(k - 1))));
    if (!quadratic) return;
    interactions.resize(n * n);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j <= i; ++j) {
        interactions[i * n + j] = interactions[j * n + i] = 0.25 * normal_number(random);
      }
    }
  }
  RcoProblem problem() const {
    return {.weights = weights, .costs = costs, .budgets = budget, .blocks = {}, .resolution = 0};
  }
  std::unique_ptr<RcoObjective> objective() const { return table_objective(table, interactions, groups, options); }
  double optimum() const {
    const auto loss = objective();
    std::vector<std::int32_t> at(groups, 0);
    double best = std::numeric_limits<double>::infinity();
    while (true) {
      double cost = 0;
      for (std::size_t i = 0; i < groups; ++i) cost += weights[i] * costs[static_cast<std::size_t>(at[i])];
      if (cost <= budget[0]) best = std::min(best, loss->evaluate(at, {}));
      std::size_t i = 0;
      while (i < groups && static_cast<std::size_t>(++at[i]) == options) at[i++] = 0;
      if (i == groups) return best;
    }
  }
};

std::string message_of(const RcoProblem& problem, const RcoOptions& options) {
  try {
    RcoSearch search(problem, options);
  } catch (const Error& error) {
    return std::string(error_code_name(error.code())) + " " + error.argument() + ": " + error.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("rco: rco_manifold.json") {
  const test::Json file = test::read_vectors("quant/rco_manifold.json");
  for (const test::Json& one : file["cases"].items) {
    std::vector<double> alpha = one["alpha"]["data"].numbers();
    const std::vector<double> costs = one["costs"]["data"].numbers();
    const std::size_t groups = alpha.size() / costs.size();
    const std::vector<double> weights = one["weights"].kind == test::Json::Kind::null
                                            ? std::vector<double>(groups, 1)
                                            : one["weights"]["data"].numbers();
    RcoGeometry geometry(weights, costs);
    std::vector<double> normal(alpha.size());
    geometry.normal(alpha, normal);
    check_near(normal, one["normal"]["data"].numbers(), 1e-9, 1e-12);
    std::vector<double> gradient = one["grad"]["data"].numbers();
    CHECK(near(RcoGeometry::project(gradient, normal), one["proj_coeff"].number, 1e-9, 0));
    check_near(gradient, one["grad_projected"]["data"].numbers(), 1e-9, 1e-12);
    std::vector<double> moment = one["moment"]["data"].numbers();
    RcoGeometry::project(moment, normal);
    check_near(moment, one["moment_transported"]["data"].numbers(), 1e-8, 1e-12);
    CHECK(near(geometry.expected_cost(alpha), one["budget_before"].number, 1e-12, 0));
    CHECK(near(geometry.retract(alpha, one["target"].number), one["retraction_shift"].number, 1e-8, 1e-8));
    check_near(alpha, one["alpha_retracted"]["data"].numbers(), 1e-8, 1e-8);
    CHECK(near(geometry.expected_cost(alpha), one["target"].number, 1e-12, 0));
  }
}

TEST_CASE("rco: retraction from anywhere, invariance, the normal sums to zero") {
  PhiloxStream random(4, 30);
  for (int trial = 0; trial < 300; ++trial) {
    const std::size_t groups = 1 + random.next_below(20), options = 2 + random.next_below(6);
    std::vector<double> weights, costs, alpha, shifted;
    double total = 0, cost = random.next_uniform();
    for (std::size_t i = 0; i < groups; ++i) total += weights.emplace_back(0.1 + 5 * random.next_uniform());
    for (std::size_t k = 0; k < options; ++k) costs.push_back(cost += 0.1 + 3 * random.next_uniform());
    // Up to one-hot rows of logits, where slopes vanish.
    const double spread = std::exp2(10 * random.next_uniform() - 2);
    for (std::size_t i = 0; i < groups; ++i) {
      const double constant = 10 * random.next_uniform();
      for (std::size_t k = 0; k < options; ++k) {
        alpha.push_back(spread * (random.next_uniform() - 0.5));
        shifted.push_back(alpha.back() + constant);
      }
    }
    const double part = 0.001 + 0.998 * random.next_uniform();
    const double budget = total * (costs.front() + part * (costs.back() - costs.front()));
    RcoGeometry geometry(weights, costs);
    CHECK(near(geometry.expected_cost(alpha), geometry.expected_cost(shifted), 1e-11, 1e-11));
    std::vector<double> normal(alpha.size());
    geometry.normal(alpha, normal);
    for (std::size_t i = 0; i < groups; ++i) {
      double sum = 0;
      for (std::size_t k = 0; k < options; ++k) sum += normal[i * options + k];
      CHECK(std::abs(sum) <= 1e-12);
    }
    geometry.retract(alpha, budget);
    CHECK(near(geometry.expected_cost(alpha), budget, 0, 1e-11 * total * (costs.back() - costs.front() + 1)));
  }
}

TEST_CASE("rco: rco_trajectory.json, choices, losses and logits of every step") {
  const test::Json file = test::read_vectors("quant/rco_trajectory.json");
  for (const test::Json& one : file["cases"].items) {
    CAPTURE(one["kind"].text);
    const std::vector<double> weights = one["weights"]["data"].numbers(), costs = one["bits"]["data"].numbers();
    const std::vector<double> table = one["D"]["data"].numbers(), start = one["alpha0"]["data"].numbers();
    const std::vector<double> uniforms = one["uniforms"]["data"].numbers(), budget{one["target"].number};
    const bool quadratic = one["Qm"].kind != test::Json::Kind::null;
    const std::vector<double> interactions = quadratic ? one["Qm"]["data"].numbers() : std::vector<double>{};
    const auto objective = table_objective(table, interactions, weights.size(), costs.size());
    RcoOptions options;
    options.steps = one["steps"].items.size();
    options.learning_rate = one["lr"].number;
    options.tau_first = one["tau_init"].number;
    options.tau_last = one["tau_min"].number;
    options.start = RcoStart::logits;
    options.logits = start;
    options.uniforms = uniforms;
    RcoSearch search({.weights = weights, .costs = costs, .budgets = budget, .blocks = {}, .resolution = 500}, options);
    RunControl control;
    std::vector<double> gradient(table.size());
    for (const test::Json& step : one["steps"].items) {
      const std::span<const std::int32_t> choices = search.ask(control);
      CHECK(std::vector<std::int32_t>(choices.begin(), choices.end()) == step["choice"].integers());
      search.tell(objective->evaluate(choices, gradient), gradient, control);
      const RcoResult now = search.result();
      CHECK(near(now.history.back().tau, step["tau"].number, 1e-6, 0));
      CHECK(near(now.history.back().loss, step["loss"].number, 0, 5e-4));
      check_near(now.logits, step["alpha"]["data"].numbers(), 0, 5e-4);
    }
  }
}

TEST_CASE("rco: optimal on separable problems, and on quadratic ones that can be enumerated") {
  RunControl control;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    CAPTURE(seed);
    const Synthetic separable(50, 7, false, seed);
    RcoOptions options;
    options.steps = 60;
    options.proxy = separable.table;
    options.seed = seed;
    RcoResult found = minimize_rco(separable.problem(), options, *separable.objective(), control);
    CHECK(near(found.loss, found.proxy_loss, 1e-12, 0));
    CHECK(found.cost <= separable.budget[0]);
    for (const std::size_t groups : {8, 9}) {
      const Synthetic small(groups, 3, true, seed + 10);
      options.proxy = small.table;
      options.steps = 300;
      found = minimize_rco(small.problem(), options, *small.objective(), control);
      CHECK(near(found.loss, small.optimum(), 1e-12, 1e-12));
      CHECK(found.cost <= small.budget[0]);
      CHECK(found.loss <= found.final_loss + 1e-12);
    }
  }
}

TEST_CASE("rco: at least as good as separable table with swaps on a larger quadratic problem; samples, signs, starts") {
  RunControl control;
  const Synthetic one(30, 5, true, 99);
  RcoOptions options;
  options.proxy = one.table;
  options.steps = 0;
  const RcoResult swaps_only = minimize_rco(one.problem(), options, *one.objective(), control);
  options.steps = 300;
  const RcoResult full = minimize_rco(one.problem(), options, *one.objective(), control);
  CHECK(full.loss <= swaps_only.loss + 1e-12);
  CHECK(full.loss < full.proxy_loss);
  CHECK(full.history.size() == 300);
  CHECK(full.history.back().best <= full.history.front().best);
  const RcoResult again = minimize_rco(one.problem(), options, *one.objective(), control);
  CHECK(again.choices == full.choices);
  CHECK(again.logits == full.logits);
  options.samples = 4;
  options.antithetic = true;
  options.start = RcoStart::sensitivity;
  options.swap_evaluations = 0;
  const RcoResult sampled = minimize_rco(one.problem(), options, *one.objective(), control);
  CHECK(sampled.evaluations == 1 + 1200 + 1);
  CHECK(sampled.loss < sampled.proxy_loss);
  options.gradient = false;
  const RcoResult values_only = minimize_rco(one.problem(), options, *one.objective(), control);
  CHECK(values_only.loss < values_only.proxy_loss);
}

TEST_CASE("rco: one budget per block is kept by every question") {
  const Synthetic one(12, 4, true, 5);
  std::vector<std::int32_t> blocks;
  std::vector<double> budgets(3, 0);
  for (std::size_t i = 0; i < 12; ++i) {
    blocks.push_back(static_cast<std::int32_t>(i % 3));
    budgets[i % 3] += 3 * one.weights[i];
  }
  for (const auto constraint : {KnapsackConstraint::at_most, KnapsackConstraint::largest_reachable}) {
    const RcoProblem problem{one.weights, one.costs, budgets, blocks, 0, constraint};
    RcoOptions options;
    options.steps = 40;
    options.proxy = one.table;
    RcoSearch search(problem, options);
    RunControl control;
    const auto objective = one.objective();
    std::vector<double> gradient(48);
    std::size_t questions = 0;
    while (!search.done()) {
      const auto choices = search.ask(control);
      ++questions;
      std::vector<double> spent(3, 0);
      for (std::size_t i = 0; i < 12; ++i) {
        spent[i % 3] += one.weights[i] * one.costs[static_cast<std::size_t>(choices[i])];
      }
      for (std::size_t b = 0; b < 3; ++b) {
        // 3 bits everywhere is an assignment: the budget is reachable.
        REQUIRE((constraint == KnapsackConstraint::at_most ? spent[b] <= budgets[b] : spent[b] == budgets[b]));
      }
      search.tell(objective->evaluate(choices, gradient), gradient, control);
    }
    CHECK(questions > 42);
    CHECK(search.result().evaluations == questions);
  }
}

TEST_CASE("rco: pruning keeps the groups of largest advantage") {
  PhiloxStream random(8, 33);
  const std::vector<double> weights(40, 1), costs{0, 1}, budget{15};
  std::vector<double> logits;
  for (int i = 0; i < 80; ++i) logits.push_back(normal_number(random));
  RcoOptions options;
  options.steps = 0;
  options.start = RcoStart::logits;
  options.logits = logits;
  RcoSearch search({.weights = weights,
                    .costs = costs,
                    .budgets = budget,
                    .blocks = {},
                    .resolution = 0,
                    .constraint = KnapsackConstraint::largest_reachable},
                   options);
  RunControl control;
  const auto choices = search.ask(control);
  std::vector<std::pair<double, std::size_t>> advantages;
  for (std::size_t i = 0; i < 40; ++i) advantages.push_back({-(logits[2 * i + 1] - logits[2 * i]), i});
  std::sort(advantages.begin(), advantages.end());
  for (std::size_t rank = 0; rank < 40; ++rank) CHECK(choices[advantages[rank].second] == (rank < 15 ? 1 : 0));
}

TEST_CASE("rco: budgets at the ends have one answer") {
  const std::vector<double> weights{1, 2}, costs{1, 3}, table{5, 1, 6, 2};
  for (const double total : {3.0, 9.0}) {
    const std::vector<double> budget{total};
    RunControl control;
    RcoOptions options;
    options.steps = 5;
    const RcoResult found =
        minimize_rco({.weights = weights, .costs = costs, .budgets = budget, .blocks = {}, .resolution = 0}, options,
                     *table_objective(table, {}, 2, 2), control);
    CHECK(found.choices == (total == 3 ? std::vector<std::int32_t>{0, 0} : std::vector<std::int32_t>{1, 1}));
  }
}

TEST_CASE("rco: what is refused, and a run that is stopped") {
  const std::vector<double> weights{1, 2}, costs{1, 3}, budget{5}, falling{3, 1}, fractions{0.5, 1.25}, far{99};
  const std::vector<double> negative{-1, 2}, wrong{1}, infinite{1, INFINITY, 1, 1};
  const std::vector<std::int32_t> blocks{0, 1};
  const RcoProblem good{.weights = weights, .costs = costs, .budgets = budget, .blocks = {}, .resolution = 0};
  const RcoOptions options;
  CHECK(message_of(good, options).empty());
  RcoProblem bad = good;
  bad.costs = falling;
  CHECK(contains(message_of(bad, options), "`costs` must increase strictly"));
  bad = good;
  bad.weights = negative;
  CHECK(contains(message_of(bad, options), "ERR_OUT_OF_RANGE weights"));
  bad.weights = fractions;
  CHECK(contains(message_of(bad, options), "whole numbers, got 0.5"));
  bad.resolution = 4;
  CHECK(message_of({fractions, costs, std::vector<double>{3}, {}, 4, KnapsackConstraint::at_most}, options).empty());
  bad = good;
  bad.budgets = far;
  CHECK(contains(message_of(bad, options), "`budget` must lie between 3"));
  bad = good;
  bad.blocks = blocks;
  CHECK(contains(message_of(bad, options), "ERR_OUT_OF_RANGE blocks"));
  RcoOptions odd;
  odd.proxy = wrong;
  CHECK(contains(message_of(good, odd), "ERR_SHAPE_MISMATCH proxy"));
  odd.proxy = infinite;
  CHECK(contains(message_of(good, odd), "ERR_NOT_FINITE proxy"));
  odd = {};
  odd.start = RcoStart::sensitivity;
  CHECK(contains(message_of(good, odd), "needs `proxy`"));
  odd = {};
  odd.samples = 0;
  CHECK(contains(message_of(good, odd), "ERR_OUT_OF_RANGE samples"));
  odd = {};
  odd.learning_rate = 0;
  CHECK(contains(message_of(good, odd), "ERR_OUT_OF_RANGE learningRate"));
  RcoSearch search(good, options);
  RunControl control;
  CHECK_THROWS_AS((void)search.result(), Error);
  (void)search.ask(control);
  CHECK_THROWS_AS(search.tell(NAN, {}, control), Error);
  CHECK_THROWS_AS(search.tell(1, {}, control), Error);  // the gradient is missing
  search.tell(1, std::vector<double>(4, 0.5), control);
  control.cancel();
  CHECK(search.ask(control).empty());
  CHECK(search.done());
  CHECK(search.result().stopped == StopReason::cancelled);
  CHECK(search.result().loss == 1);
}

TEST_CASE("rco: a run that is stopped before its first evaluation evaluates its start") {
  const Synthetic one(20, 4, true, 3);
  for (const bool with_proxy : {true, false}) {
    RcoOptions options;
    if (with_proxy) options.proxy = one.table;
    RunControl control;
    control.cancel();
    const auto objective = one.objective();
    const RcoResult found = minimize_rco(one.problem(), options, *objective, control);
    CHECK(found.stopped == StopReason::cancelled);
    CHECK(found.evaluations == 1);
    CHECK(found.steps == 0);
    CHECK(found.cost <= one.budget[0]);
    CHECK(found.loss == objective->evaluate(found.choices, {}));
    CHECK(std::isnan(found.proxy_loss));
    RcoProblem exact = one.problem();
    exact.constraint = KnapsackConstraint::equal;
    CHECK_THROWS_AS((void)minimize_rco(exact, options, *objective, control), Error);
  }
}
