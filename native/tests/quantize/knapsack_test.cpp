// The knapsack solvers against exhaustive enumeration, against each other, and against the golden vectors.
#include "quantize/knapsack.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "quantize/knapsack_forms.hpp"
#include "tests/json.hpp"

namespace {

using namespace dd;
using namespace dd::quantize;

struct Instance {
  std::size_t groups = 0, options = 0;
  std::vector<double> values;
  std::vector<std::int64_t> costs;
  std::int64_t budget = 0;
  KnapsackConstraint constraint = KnapsackConstraint::at_most;

  KnapsackProblem problem() const { return {groups, options, values, costs, budget, constraint}; }
  std::int64_t cost(std::size_t i, std::size_t k) const {
    return costs.size() == options ? costs[k] : costs[i * options + k];
  }
};

Instance random_instance(PhiloxStream& random, std::size_t groups, std::size_t options, std::uint32_t largest_cost,
                         bool shared) {
  Instance one;
  one.groups = groups;
  one.options = options;
  const std::uint32_t unit = 1 + random.next_below(3);
  for (std::size_t i = 0; i < groups * options; ++i) {
    // Equal values and equal costs are common.
    one.values.push_back(random.next_below(2) == 0 ? random.next_below(5) : 10 * random.next_uniform() - 3);
  }
  for (std::size_t i = 0; i < (shared ? options : groups * options); ++i) {
    one.costs.push_back(std::int64_t{unit} * random.next_below(largest_cost));
  }
  std::int64_t low = 0, high = 0;
  for (std::size_t i = 0; i < groups; ++i) {
    std::int64_t least = one.cost(i, 0), most = least;
    for (std::size_t k = 0; k < options; ++k) {
      least = std::min(least, one.cost(i, k));
      most = std::max(most, one.cost(i, k));
    }
    low += least;
    high += most;
  }
  one.budget = low + random.next_below(static_cast<std::uint32_t>(high - low + 3));
  return one;
}

/// The smallest value under the constraint; none when no assignment fulfils it.
std::optional<double> enumerate(const Instance& one) {
  std::vector<std::size_t> at(one.groups, 0);
  std::optional<double> best;
  std::int64_t best_cost = -1;
  while (true) {
    double value = 0;
    std::int64_t cost = 0;
    for (std::size_t i = 0; i < one.groups; ++i) {
      value += one.values[i * one.options + at[i]];
      cost += one.cost(i, at[i]);
    }
    const bool allowed = one.constraint == KnapsackConstraint::equal ? cost == one.budget : cost <= one.budget;
    if (allowed) {
      const bool fuller = one.constraint == KnapsackConstraint::largest_reachable && cost > best_cost;
      const bool same = one.constraint != KnapsackConstraint::largest_reachable || cost == best_cost;
      if (!best || fuller || (same && value < *best)) {
        best = value;
        best_cost = cost;
      }
    }
    std::size_t i = 0;
    while (i < one.groups && ++at[i] == one.options) at[i++] = 0;
    if (i == one.groups) return best;
  }
}

void check_solution(const Instance& one, const KnapsackSolution& found) {
  double value = 0;
  std::int64_t cost = 0;
  REQUIRE(found.choices.size() == one.groups);
  for (std::size_t i = 0; i < one.groups; ++i) {
    REQUIRE(found.choices[i] >= 0);
    REQUIRE(found.choices[i] < static_cast<std::int32_t>(one.options));
    value += one.values[i * one.options + static_cast<std::size_t>(found.choices[i])];
    cost += one.cost(i, static_cast<std::size_t>(found.choices[i]));
  }
  CHECK(found.value == value);
  CHECK(found.cost == cost);
  CHECK(found.cost <= one.budget);
  if (one.constraint == KnapsackConstraint::equal) CHECK(found.cost == one.budget);
  CHECK(found.gap >= 0);
  CHECK(found.gap == found.value - found.lower_bound);
}

std::string message_of(const Instance& one, KnapsackMethod method = KnapsackMethod::automatic) {
  try {
    (void)solve_knapsack(one.problem(), {.method = method});
  } catch (const Error& error) {
    return std::string(error_code_name(error.code())) + " " + error.argument() + ": " + error.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("knapsack: every method against enumeration") {
  PhiloxStream random(7, 1);
  for (int trial = 0; trial < 1500; ++trial) {
    Instance one = random_instance(random, 1 + random.next_below(5), 1 + random.next_below(5),
                                   trial % 3 == 0 ? 1000 : 8, random.next_below(2) == 0);
    CAPTURE(trial);
    for (const auto constraint :
         {KnapsackConstraint::at_most, KnapsackConstraint::equal, KnapsackConstraint::largest_reachable}) {
      one.constraint = constraint;
      const std::optional<double> optimum = enumerate(one);
      // The last: a table that may hold two bytes, so that the groups are halved to single ones.
      for (const KnapsackOptions& options :
           {KnapsackOptions{}, KnapsackOptions{.method = KnapsackMethod::dynamic_programming},
            KnapsackOptions{.method = KnapsackMethod::core},
            KnapsackOptions{.method = KnapsackMethod::dynamic_programming, .table_bytes = 2}}) {
        CAPTURE(static_cast<int>(constraint));
        CAPTURE(static_cast<int>(options.method));
        if (!optimum) {
          CHECK_THROWS_AS((void)solve_knapsack(one.problem(), options), Error);
          continue;
        }
        const KnapsackSolution found = solve_knapsack(one.problem(), options);
        check_solution(one, found);
        CHECK(found.value == doctest::Approx(*optimum).epsilon(1e-12));
        CHECK(found.gap <= 1e-12);
      }
      if (constraint != KnapsackConstraint::at_most) continue;
      for (const auto method : {KnapsackMethod::hull, KnapsackMethod::lagrangian}) {
        const KnapsackSolution found = solve_knapsack(one.problem(), {.method = method});
        check_solution(one, found);
        CHECK(found.value >= *optimum - 1e-9);
        CHECK(found.lower_bound <= *optimum + 1e-9);
      }
    }
  }
}

TEST_CASE("knapsack: core, table and split table agree on middling problems; hull within one increment") {
  PhiloxStream random(3, 2);
  for (int trial = 0; trial < 40; ++trial) {
    Instance one = random_instance(random, 20 + random.next_below(60), 2 + random.next_below(8), 400, trial % 2 == 0);
    CAPTURE(trial);
    for (const auto constraint :
         {KnapsackConstraint::at_most, KnapsackConstraint::equal, KnapsackConstraint::largest_reachable}) {
      one.constraint = constraint;
      if (constraint == KnapsackConstraint::equal) {
        one.constraint = KnapsackConstraint::largest_reachable;
        one.budget = solve_knapsack(one.problem()).cost;
        one.constraint = constraint;
      }
      const KnapsackSolution table = solve_knapsack(one.problem(), {.method = KnapsackMethod::dynamic_programming});
      const KnapsackSolution split =
          solve_knapsack(one.problem(), {.method = KnapsackMethod::dynamic_programming, .table_bytes = 30000});
      const KnapsackSolution core = solve_knapsack(one.problem(), {.method = KnapsackMethod::core});
      for (const auto* found : {&table, &split, &core}) {
        check_solution(one, *found);
        CHECK(found->gap == 0);
        CHECK(found->value == doctest::Approx(table.value).epsilon(1e-12));
        CHECK(found->cost == table.cost);
      }
      if (constraint != KnapsackConstraint::at_most) continue;
      const KnapsackSolution hull = solve_knapsack(one.problem(), {.method = KnapsackMethod::hull});
      double widest = 0;
      for (const double value : one.values) widest = std::max(widest, std::abs(value));
      CHECK(hull.value >= table.value - 1e-9);
      CHECK(hull.gap <= 2 * widest);
      CHECK(hull.lower_bound <= table.value + 1e-9);
      CHECK(solve_knapsack(one.problem(), {.method = KnapsackMethod::lagrangian}).lower_bound <= table.value + 1e-9);
    }
  }
}

TEST_CASE("knapsack: core proves its solution where values have equal steps") {
  // Each of these ran out of partial assignments: thousands of groups are equally far from their next option.
  PhiloxStream random(4, 2);
  for (const double step : {1.0, 0.1, 0.25}) {
    for (const bool linear : {false, true}) {
      const std::size_t groups = 20000, options = 9;
      Instance one{.groups = groups, .options = options, .values = {}, .costs = {}, .budget = 0};
      for (std::size_t i = 0; i < groups; ++i) {
        const double slope = 1 + random.next_below(10);
        for (std::size_t k = 0; k < options; ++k) {
          const auto left = static_cast<double>(options - k);
          one.values.push_back(step * (linear ? slope * left : 10 * left + random.next_below(10)));
          one.costs.push_back(static_cast<std::int64_t>(linear ? k * (3 + i % 5) : k * 100 + random.next_below(50)));
        }
      }
      one.budget = static_cast<std::int64_t>(groups) * (linear ? 13 : 270) + 1;
      CAPTURE(step);
      CAPTURE(linear);
      const KnapsackSolution core = solve_knapsack(one.problem(), {.method = KnapsackMethod::core});
      const KnapsackSolution hull = solve_knapsack(one.problem(), {.method = KnapsackMethod::hull});
      check_solution(one, core);
      CHECK(core.method == KnapsackMethod::core);
      CHECK(core.gap == 0);
      CHECK(core.value <= hull.value);
      // No multiple of the step lies between.
      CHECK(core.value - hull.lower_bound < step * (1 + 1e-6));
    }
  }
}

TEST_CASE("knapsack: core proves its solution where thousands of groups are alike, whatever their values") {
  const std::vector<std::int64_t> costs{0, 1024, 1623, 2048, 2378, 2647, 3072, 3402, 4096};
  const std::vector<double> sizes{1, 1.41421356, 2.71828183, 3.14159265};
  // Negative: values on lines, where at the best price all options of thousands of groups are equally good.
  for (const double noise : {-1.0, 0.0, 1e-7, 1e-4}) {
    PhiloxStream random(6, 2);
    Instance one{.groups = 20000, .options = costs.size(), .values = {}, .costs = costs, .budget = 0};
    for (std::size_t i = 0; i < one.groups; ++i) {
      const double size =
          noise < 0 ? 1 + random.next_below(5) : sizes[random.next_below(4)] * (1 + noise * random.next_uniform());
      for (std::size_t k = 0; k < costs.size(); ++k) {
        one.values.push_back(noise < 0 ? -size * static_cast<double>(k) : std::ldexp(size, -2 * static_cast<int>(k)));
      }
    }
    one.budget = static_cast<std::int64_t>(one.groups) * 1100 + 1;
    CAPTURE(noise);
    const KnapsackSolution core = solve_knapsack(one.problem(), {.method = KnapsackMethod::core});
    check_solution(one, core);
    CHECK(core.method == KnapsackMethod::core);
    CHECK(core.gap == 0);
    CHECK(core.value <= solve_knapsack(one.problem(), {.method = KnapsackMethod::hull}).value);
  }
}

TEST_CASE("knapsack: shortest paths bound the optimum, and are assignments where they say so") {
  PhiloxStream random(7, 2);
  int exact = 0, solved = 0;
  for (int trial = 0; trial < 200; ++trial) {
    const std::size_t kinds = 1 + random.next_below(4);
    const Instance kind = random_instance(random, kinds, 2 + random.next_below(6), 60, false);
    Instance one{.groups = 5 + random.next_below(60), .options = kind.options, .values = {}, .costs = {}, .budget = 0};
    std::int64_t low = 0, high = 0;
    for (std::size_t i = 0; i < one.groups; ++i) {
      const std::size_t from = random.next_below(static_cast<std::uint32_t>(kinds)) * kind.options;
      for (std::size_t k = 0; k < kind.options; ++k) {
        one.values.push_back(kind.values[from + k]);
        one.costs.push_back(kind.costs[from + k]);
      }
      const auto own = one.costs.end() - static_cast<std::ptrdiff_t>(kind.options);
      low += *std::min_element(own, one.costs.end());
      high += *std::max_element(own, one.costs.end());
    }
    one.budget = low + (high - low) * (20 + static_cast<std::int64_t>(random.next_below(60))) / 100;
    for (const auto constraint : {KnapsackConstraint::at_most, KnapsackConstraint::largest_reachable}) {
      one.constraint = KnapsackConstraint::largest_reachable;
      if (constraint != KnapsackConstraint::at_most) one.budget = solve_knapsack(one.problem()).cost;
      one.constraint = constraint == KnapsackConstraint::at_most ? constraint : KnapsackConstraint::equal;
      const KnapsackSolution table = solve_knapsack(one.problem(), {.method = KnapsackMethod::dynamic_programming});
      const knapsack::ReducedProblem reduced = knapsack::reduce(one.problem());
      const double price = knapsack::solve_hull(reduced).price;
      knapsack::Positions answers(one.groups);
      double bound = -price * static_cast<double>(reduced.budget);
      for (std::size_t i = 0; i < one.groups; ++i) {
        double least = std::numeric_limits<double>::infinity();
        for (std::size_t k = 0; k < reduced.group(i).size(); ++k) {
          const knapsack::Option& option = reduced.group(i)[k];
          const double value = option.value + price * static_cast<double>(option.cost);
          if (value < least) answers[i] = static_cast<std::int32_t>(k);
          least = std::min(least, value);
        }
        bound += least;
      }
      RunControl control;
      const knapsack::Deviation found =
          knapsack::shortest_deviation(reduced, price, answers, std::numeric_limits<double>::infinity(), control);
      const double scale = 1 + std::abs(table.value) + std::abs(bound);
      CAPTURE(trial);
      CHECK(bound + found.least <= table.value + 1e-12 * scale);
      exact += bound + found.least >= table.value - 1e-12 * scale ? 1 : 0;
      if (found.positions.empty()) continue;
      ++solved;
      double value = 0;
      std::int64_t cost = 0;
      for (std::size_t i = 0; i < one.groups; ++i) {
        const knapsack::Option& option = reduced.group(i)[static_cast<std::size_t>(found.positions[i])];
        value += option.value;
        cost += option.cost;
      }
      CHECK(value == doctest::Approx(bound + found.distance).epsilon(1e-12));
      CHECK((constraint == KnapsackConstraint::at_most ? cost <= reduced.budget : cost == reduced.budget));
      CHECK(found.distance >= found.least - 1e-12 * scale);
    }
  }
  // As good as always it is an assignment, and then the optimum.
  CHECK(solved > 200);
  CHECK(exact > 200);
}

TEST_CASE("knapsack: ties go to lower cost, then to the lower option") {
  Instance one{.groups = 2, .options = 4, .values = {1, 0, 0, 0, 1, 0, 0, 0}, .costs = {0, 2, 1, 1}, .budget = 9};
  for (const auto method : {KnapsackMethod::dynamic_programming, KnapsackMethod::core, KnapsackMethod::hull}) {
    CHECK(solve_knapsack(one.problem(), {.method = method}).choices == std::vector<std::int32_t>{2, 2});
  }
}

TEST_CASE("knapsack: a price at which rounding hides a difference") {
  const Instance one{.groups = 3,
                     .options = 4,
                     .values = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, 5e-324},
                     .costs = {2, 2, 4, 1},
                     .budget = 3};
  for (const auto method : {KnapsackMethod::automatic, KnapsackMethod::dynamic_programming, KnapsackMethod::hull,
                            KnapsackMethod::lagrangian, KnapsackMethod::core}) {
    check_solution(one, solve_knapsack(one.problem(), {.method = method}));
  }
}

TEST_CASE("knapsack: the same bytes for any number of threads") {
  PhiloxStream random(5, 3);
  const Instance one = random_instance(random, 30, 6, 5000, false);
  RunControl one_thread(1), four_threads(4);
  const KnapsackOptions options{.method = KnapsackMethod::dynamic_programming};
  CHECK(solve_knapsack(one.problem(), options, one_thread).choices ==
        solve_knapsack(one.problem(), options, four_threads).choices);
}

TEST_CASE("knapsack: allocation.json and rco_dp.json") {
  const test::Json dp = test::read_vectors("quant/rco_dp.json"), tables = test::read_vectors("quant/allocation.json");
  for (const test::Json& one : dp["cases"].items) {
    std::vector<double> logits = one["logits"]["data"].numbers();
    for (double& logit : logits) logit = static_cast<double>(static_cast<float>(logit));  // what the source had
    const std::vector<double> bits = one["bits"].numbers();
    const std::vector<double> parameters = one["params"].numbers();
    Instance instance;
    instance.groups = parameters.size();
    instance.options = bits.size();
    double total = 0;
    for (const double count : parameters) {
      total += count;
      for (const double width : bits) instance.costs.push_back(static_cast<std::int64_t>(count * width));
    }
    instance.budget = static_cast<std::int64_t>(std::floor(one["target_avg_bits"].number * total));
    for (const auto method : {KnapsackMethod::dynamic_programming, KnapsackMethod::core}) {
      instance.values.clear();
      for (const double logit : logits) instance.values.push_back(-logit);
      KnapsackSolution found = solve_knapsack(instance.problem(), {.method = method});
      CHECK(found.value == doctest::Approx(-one["exact_value_logits"].number).epsilon(1e-9));
      CHECK(found.choices == one["exact_choice_logits"].integers());
      CHECK(static_cast<double>(found.cost) / total == doctest::Approx(one["exact_avg_bits"].number).epsilon(1e-12));
      for (std::size_t i = 0; i < instance.groups; ++i) {
        double sum = 0;
        for (std::size_t k = 0; k < bits.size(); ++k) sum += std::exp(logits[i * bits.size() + k]);
        for (std::size_t k = 0; k < bits.size(); ++k) instance.values[i * bits.size() + k] += std::log(sum);
      }
      found = solve_knapsack(instance.problem(), {.method = method});
      CHECK(found.value == doctest::Approx(-one["exact_value_logprob"].number).epsilon(1e-9));
      CHECK(found.choices == one["exact_choice_logprob"].integers());
    }
  }
  for (const test::Json& one : tables["cases"].items) {
    if (!one.has("T")) continue;
    Instance instance;
    instance.values = one["T"]["data"].numbers();
    instance.groups = static_cast<std::size_t>(one["T"]["shape"].items[0].number);
    instance.options = static_cast<std::size_t>(one["T"]["shape"].items[1].number);
    for (std::size_t k = 0; k < instance.options; ++k) instance.costs.push_back(static_cast<std::int64_t>(k));
    instance.budget = static_cast<std::int64_t>(one["budget_int"].number);
    for (const auto method : {KnapsackMethod::dynamic_programming, KnapsackMethod::core}) {
      CHECK(solve_knapsack(instance.problem(), {.method = method}).value ==
            doctest::Approx(one["optimal_value"].number).epsilon(1e-9));
    }
    CHECK(solve_knapsack(instance.problem(), {.method = KnapsackMethod::hull}).value <=
          one["hull_greedy_value"].number * (1 + 1e-9));
  }
}

TEST_CASE("knapsack: what is refused, and what the message says") {
  const Instance good{.groups = 2, .options = 2, .values = {3, 1, 4, 1}, .costs = {2, 6}, .budget = 8};
  CHECK(message_of(good).empty());
  Instance bad = good;
  bad.budget = 3;
  CHECK(contains(message_of(bad), "ERR_OUT_OF_RANGE budget: `budget` must be at least 4"));
  bad.constraint = KnapsackConstraint::equal;
  bad.budget = 9;
  CHECK(contains(message_of(bad), "4 plus a multiple of 4 (for example 8)"));
  bad.budget = 13;
  CHECK(contains(message_of(bad), "at most 12"));
  bad = {.groups = 2, .options = 2, .values = {3, 1, 4, 1}, .costs = {0, 3, 0, 5}, .budget = 7};
  bad.constraint = KnapsackConstraint::equal;
  for (const auto method : {KnapsackMethod::dynamic_programming, KnapsackMethod::core}) {
    CHECK(contains(message_of(bad, method), "the next below being 5, got 7"));
  }
  for (const auto method : {KnapsackMethod::hull, KnapsackMethod::lagrangian}) {
    CHECK(contains(message_of(bad, method), "ERR_INVALID_ARG_VALUE method"));
  }
  bad = good;
  bad.values[2] = std::numeric_limits<double>::quiet_NaN();
  CHECK(contains(message_of(bad), "ERR_NOT_FINITE values: `values` must be finite, but is not for group 1, option 0"));
  bad = good;
  bad.costs[1] = -1;
  CHECK(contains(message_of(bad), "ERR_OUT_OF_RANGE costs"));
  bad.costs[1] = std::int64_t{1} << 53;
  CHECK(contains(message_of(bad), "add up to at most 2^53"));
  bad.costs.push_back(1);
  CHECK(contains(message_of(bad), "ERR_SHAPE_MISMATCH costs"));
  bad = good;
  bad.values.pop_back();
  CHECK(contains(message_of(bad), "ERR_SHAPE_MISMATCH values"));
  bad.groups = 0;
  bad.values.clear();
  CHECK(contains(message_of(bad), "ERR_SHAPE_MISMATCH values"));
  bad = {.groups = 2, .options = 2, .values = {1, 0, 1, 0}, .costs = {0, 1 << 27, 0, (1 << 27) + 1}, .budget = 1 << 28};
  CHECK(contains(message_of(bad, KnapsackMethod::dynamic_programming), "budget below 2^26 units"));
  CHECK(message_of(bad, KnapsackMethod::core).empty());
}

TEST_CASE("knapsack: a run that is stopped keeps its best so far") {
  PhiloxStream random(9, 4);
  Instance one = random_instance(random, 200, 8, 100000, false);
  one.budget = 10000000;
  for (const auto method : {KnapsackMethod::dynamic_programming, KnapsackMethod::core, KnapsackMethod::lagrangian}) {
    RunControl control;
    control.cancel();
    const KnapsackSolution found = solve_knapsack(one.problem(), {.method = method}, control);
    check_solution(one, found);
    CHECK(found.stopped == StopReason::cancelled);
    CHECK(found.gap > 0);
  }
  // A table that is small enough for `automatic` is cut all the same; an equality has a solution only where the hull
  // happens to meet it.
  std::size_t without = 0;
  for (int trial = 0; trial < 100; ++trial) {
    Instance small = random_instance(random, 12, 4, 60, false);
    small.budget = 12 * 45;
    RunControl control;
    control.cancel();
    try {
      const KnapsackSolution found = solve_knapsack(small.problem(), {}, control);
      check_solution(small, found);
      CHECK(found.stopped == StopReason::cancelled);
      CHECK(found.method == KnapsackMethod::hull);
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::out_of_range);  // not even the cheapest assignment fits
    }
    small.constraint = KnapsackConstraint::equal;
    try {
      check_solution(small, solve_knapsack(small.problem(), {}, control));
    } catch (const Error& error) {
      without += error.code() == ErrorCode::not_converged ? 1 : 0;
    }
  }
  CHECK(without > 50);
}
