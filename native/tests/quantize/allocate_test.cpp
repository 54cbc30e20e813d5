// Closed-form allocation: the golden vectors, the optimality conditions, and the greedy against the knapsack.
#include "quantize/allocate.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "quantize/knapsack.hpp"
#include "tests/json.hpp"

namespace {

using namespace dd;
using namespace dd::quantize;

std::vector<double> random_sensitivities(PhiloxStream& random, std::size_t count) {
  std::vector<double> c(count);
  for (double& value : c) {
    const std::uint32_t kind = random.next_below(8);
    value = kind == 0 ? 0 : kind == 1 ? 1.0 : std::exp2(20 * random.next_uniform() - 10);
  }
  return c;
}

}  // namespace

TEST_CASE("allocation: allocation.json") {
  const test::Json file = test::read_vectors("quant/allocation.json");
  for (const test::Json& one : file["cases"].items) {
    if (!one.has("c")) continue;
    CAPTURE(one["name"].text);
    const std::vector<double> c = one["c"]["data"].numbers(), water = one["waterfill"]["data"].numbers();
    const double average = one["R_avg"].number, most = one["b_max"].number;
    const BitAllocation real = water_filling(c, average, most);
    for (std::size_t j = 0; j < c.size(); ++j) CHECK(real.bits[j] == doctest::Approx(water[j]).epsilon(1e-9));
    CHECK(real.achieved_bits == doctest::Approx(average).epsilon(1e-12));
    const BitAllocation whole = integer_bits(c, average, static_cast<int>(most));
    const std::vector<double> greedy = one["greedy_int"]["data"].numbers();
    CHECK(whole.bits == greedy);
    CHECK(whole.objective == doctest::Approx(one["optimal_value"].number).epsilon(1e-9));
  }
}

TEST_CASE("allocation: equal loss inside the box, worse outside, exact mean") {
  PhiloxStream random(1, 20);
  for (int trial = 0; trial < 300; ++trial) {
    const std::vector<double> c = random_sensitivities(random, 1 + random.next_below(40));
    const double most = 1 + random.next_below(8), average = most * random.next_uniform();
    const BitAllocation real = water_filling(c, average, most);
    double live = 0, sum = 0, inside = 0;
    for (std::size_t j = 0; j < c.size(); ++j) {
      if (c[j] > 0) live += most;
      sum += real.bits[j];
      if (real.bits[j] > 1e-9 && real.bits[j] < most - 1e-9) inside = c[j] * std::exp2(-2 * real.bits[j]);
    }
    CHECK(sum == doctest::Approx(std::min(live, average * static_cast<double>(c.size()))).epsilon(1e-9));
    for (std::size_t j = 0; inside > 0 && j < c.size(); ++j) {
      const double loss = c[j] * std::exp2(-2 * real.bits[j]);
      if (real.bits[j] <= 1e-9) {
        CHECK(loss <= inside * (1 + 1e-6));
      } else if (real.bits[j] >= most - 1e-9) {
        CHECK(loss >= inside * (1 - 1e-6));
      } else {
        CHECK(loss == doctest::Approx(inside).epsilon(1e-6));
      }
    }
  }
}

TEST_CASE("allocation: whole bits and levels are optimal for their options") {
  PhiloxStream random(2, 21);
  for (int trial = 0; trial < 200; ++trial) {
    const std::vector<double> c = random_sensitivities(random, 1 + random.next_below(30));
    const int most = 1 + static_cast<int>(random.next_below(8));
    const double average = most * random.next_uniform();
    std::vector<double> values;
    std::vector<std::int64_t> costs(static_cast<std::size_t>(most) + 1);
    std::iota(costs.begin(), costs.end(), 0);
    for (const double one : c) {
      for (const std::int64_t bits : costs) values.push_back(one * std::exp2(-2.0 * static_cast<double>(bits)));
    }
    const auto budget = static_cast<std::int64_t>(std::floor(average * static_cast<double>(c.size()) + 1e-9));
    const KnapsackSolution optimum = solve_knapsack(
        {.groups = c.size(), .options = costs.size(), .values = values, .costs = costs, .budget = budget},
        {.method = KnapsackMethod::dynamic_programming});
    const BitAllocation whole = integer_bits(c, average, most);
    CHECK(whole.objective == doctest::Approx(optimum.value).epsilon(1e-12));
    CHECK(whole.achieved_bits * static_cast<double>(c.size()) <= static_cast<double>(budget) + 1e-9);
    RunControl control;
    const BitAllocation levels = level_allocation(c, average, most, control);
    CHECK(levels.gap <= 1e-12 * levels.objective);
    CHECK(levels.objective <= whole.objective * (1 + 1e-12));  // powers of two are among the levels
    std::int64_t cost = 0;
    for (const std::int32_t count : levels.levels) cost += level_cost(count);
    CHECK(static_cast<double>(cost) <= 1024 * average * static_cast<double>(c.size()) + 1e-6);
  }
}

TEST_CASE("allocation: the official formula gives the official levels") {
  const test::Json file = test::read_vectors("quant/baq.json");
  for (const test::Json& one : file["cases"].items) {
    CAPTURE(one["name"].text);
    const BitAllocation official = official_levels(one["calib_loss_per_column"]["data"].numbers(), one["bits"].number);
    CHECK(official.levels == one["levels"]["data"].integers());
    CHECK(official.achieved_bits == doctest::Approx(one["R_mean"].number).epsilon(1e-6));
  }
}

TEST_CASE("allocation: what is refused") {
  const std::vector<double> good{1, 2}, empty, negative{1, -1}, infinite{1, INFINITY};
  RunControl control;
  CHECK_THROWS_AS(water_filling(empty, 1, 8), Error);
  CHECK_THROWS_AS(water_filling(negative, 1, 8), Error);
  CHECK_THROWS_AS(water_filling(infinite, 1, 8), Error);
  CHECK_THROWS_AS(water_filling(good, 9, 8), Error);
  CHECK_THROWS_AS(integer_bits(good, -1, 8), Error);
  CHECK_THROWS_AS(level_allocation(good, NAN, 8, control), Error);
  CHECK_THROWS_AS(official_levels(negative, 2), Error);
  CHECK(water_filling(good, 8, 8).bits == std::vector<double>{8, 8});
  CHECK(integer_bits(good, 0, 8).bits == std::vector<double>{0, 0});
}
