// Directions of a low rank, searches with losses from outside against whole steps, threads, budgets, infeasible steps.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "polystep/baselines/cma_es.hpp"
#include "polystep/baselines/evolution_strategy.hpp"
#include "polystep/baselines/random_search.hpp"
#include "polystep/baselines/search.hpp"
#include "polystep/baselines/two_point.hpp"
#include "polystep/objectives/functions.hpp"

namespace {

using namespace dd;
using namespace dd::polystep;

constexpr std::size_t dimension = 130;  // more than one block of signs

std::vector<std::unique_ptr<SearchMethod>> methods() {
  const std::vector<double> x0(dimension, 0.5);
  std::vector<std::unique_ptr<SearchMethod>> all;
  EvolutionStrategyOptions strategy{10, 0.1, 0.05, 1, 1, DescentRule::adam, CostScale::rank, 1};
  all.push_back(std::make_unique<EvolutionStrategy>(x0, Perturbations(3, Noise::normal, dimension), strategy));
  const std::vector<PerturbedTensor> tensors{{10, 12, 2}, {10, 1, 0}};
  all.push_back(std::make_unique<EvolutionStrategy>(x0, Perturbations(3, Noise::normal, tensors), strategy));
  all.push_back(std::make_unique<CmaEs>(x0, 3, CmaOptions{9, 0.1, false, true}));
  all.push_back(std::make_unique<CmaEs>(x0, 3, CmaOptions{9, 0.1, true, true}));
  const TwoPointOptions two_point{2, 0.01, 0.01, 5, 0.602, 0.101, 1};
  all.push_back(std::make_unique<TwoPoint>(x0, Perturbations(3, Noise::sign, dimension), two_point));
  all.push_back(std::make_unique<RandomSearch>(x0, 3, RandomSearchOptions{7, 0.1, 1, {}, {}}));
  return all;
}

SearchOptions half_box() { return {std::vector<double>(dimension, 0.0), std::vector<double>(dimension, 0.75), 0, 0}; }

}  // namespace

TEST_CASE("perturbations: pieces are of one direction, matrices have the rank they are said to have") {
  const Perturbations directions(1, Noise::normal, std::vector<PerturbedTensor>{{9, 5, 2}, {7, 1, 0}, {2000, 1, 0}});
  REQUIRE(directions.dimension() == 2052);
  std::vector<double> one(2052), other(2052), sum(2052);
  directions.write(0, 4, one);
  directions.write(1, 4, other);
  const double weights[] = {2.0, -0.5};
  directions.combine(weights, 4, sum, 2);
  for (std::size_t i = 0; i < sum.size(); ++i) CHECK(sum[i] == doctest::Approx(2 * one[i] - 0.5 * other[i]));
  // Rank 2: every minor of three rows and columns vanishes.
  const auto at = [&](std::size_t i, std::size_t j) { return one[i * 5 + j]; };
  for (std::size_t r = 0; r + 3 <= 9; ++r) {
    double minor = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      const std::size_t p = (j + 1) % 3, q = (j + 2) % 3;
      minor += at(r, j) * (at(r + 1, p) * at(r + 2, q) - at(r + 1, q) * at(r + 2, p));
    }
    CHECK(std::abs(minor) < 1e-12);
    CHECK(std::abs(at(r, 0) * at(r + 1, 1) - at(r, 1) * at(r + 1, 0)) > 1e-12);
  }
  double mean = 0, square = 0;
  for (std::size_t i = 52; i < 2052; ++i) {
    mean += one[i] / 2000;
    square += one[i] * one[i] / 2000;
  }
  CHECK(std::abs(mean) < 0.1);
  CHECK(std::abs(square - 1) < 0.15);
}

TEST_CASE("perturbations: signs are as many of one kind as of the other") {
  const Perturbations directions(1, Noise::sign, 3000);
  std::vector<double> signs(3000);
  directions.write(5, 2, signs);
  double sum = 0;
  for (const double sign : signs) {
    CHECK(std::abs(sign) == 1);
    sum += sign;
  }
  CHECK(std::abs(sum) < 220);  // four standard deviations
}

TEST_CASE("searches: whole steps are those with losses from outside, on any number of threads") {
  const Function sphere({FunctionKind::sphere, dimension, 0, false});
  const std::size_t count = methods().size();
  for (std::size_t m = 0; m < count; ++m) {
    CAPTURE(m);
    Search<double> outside(half_box(), std::move(methods()[m]));
    Search<double> inside(half_box(), std::move(methods()[m]));
    const auto evaluator = sphere.float64_evaluator(1);
    RunControl control(3);
    std::vector<StepMetrics> metrics;
    CHECK(inside.run(*evaluator, 6, 1e9, metrics, control) == RunStop::steps);
    for (std::size_t step = 0; step < 6; ++step) {
      const std::size_t candidates = outside.candidates();
      std::vector<double> points(candidates * dimension), losses(candidates);
      outside.write_candidates(0, 1, points.data(), 1);
      outside.write_candidates(1, candidates - 1, points.data() + dimension, 2);
      for (const double x : points) CHECK((x >= 0 && x <= 0.75));
      evaluator->begin_step(step, 1);
      evaluator->evaluate(MatrixView<const double>::row_major(points.data(), candidates, dimension), losses);
      const StepMetrics own = outside.finish(losses, 1);
      CHECK(own.mean_cost == metrics[step].mean_cost);
      CHECK(own.mean_squared_displacement == metrics[step].mean_squared_displacement);
    }
    std::vector<double> one(dimension), other(dimension);
    inside.current(one);
    outside.current(other);
    CHECK(one == other);
    CHECK(inside.best_value() == outside.best_value());
    CHECK(std::equal(inside.best().begin(), inside.best().end(), outside.best().begin(), outside.best().end()));
  }
}

TEST_CASE("searches: the budget is kept, a step without finite losses moves nothing") {
  const Function sphere({FunctionKind::sphere, dimension, 0, false});
  const std::size_t count = methods().size();
  for (std::size_t m = 0; m < count; ++m) {
    CAPTURE(m);
    Search<float> search(half_box(), std::move(methods()[m]));
    const auto evaluator = sphere.float32_evaluator(1);
    RunControl control(1);
    std::vector<StepMetrics> metrics;
    const auto candidates = static_cast<double>(search.candidates());
    CHECK(search.run(*evaluator, 100, 3 * candidates + 1, metrics, control) == RunStop::budget);
    CHECK(search.evaluations() == 3 * candidates);
    std::vector<float> before(dimension), after(dimension);
    search.current(before);
    const std::vector<double> none(search.candidates(), std::numeric_limits<double>::quiet_NaN());
    CHECK(search.finish(none, 1).outcome == static_cast<double>(StepOutcome::infeasible));
    search.current(after);
    CHECK(before == after);
    CHECK(search.step() == 4);
  }
}

TEST_CASE("searches: an iterate that overflows is taken back") {
  const std::vector<double> x0(3, 1.0);
  const TwoPointOptions far{1, 1e300, 1e-3, 0, 0, 0, 1};
  Search<float> search({}, std::make_unique<TwoPoint>(x0, Perturbations(1, Noise::sign, 3), far));
  const double losses[] = {1.0, 2.0};
  CHECK(search.finish(losses, 1).outcome == static_cast<double>(StepOutcome::reverted));
  std::vector<float> point(3);
  search.current(point);
  CHECK(point == std::vector<float>(3, 1.0f));
}
