// Checks, reduction to the smallest equivalent problem, and the choice of a method.
#include "quantize/knapsack.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "core/error.hpp"
#include "quantize/knapsack_forms.hpp"

namespace dd::quantize {
namespace knapsack {
namespace {

constexpr std::int64_t largest_total = std::int64_t{1} << 53;

void check_shapes(const KnapsackProblem& problem) {
  if (problem.groups == 0 || problem.options == 0) {
    throw Error(ErrorCode::shape_mismatch, "values", "`values` must have at least one group and one option");
  }
  if (problem.options > std::numeric_limits<std::int32_t>::max() ||
      problem.values.size() / problem.options != problem.groups || problem.values.size() % problem.options != 0) {
    throw Error(ErrorCode::shape_mismatch, "values",
                "`values` must have " + std::to_string(problem.groups) + " x " + std::to_string(problem.options) +
                    " numbers, got " + std::to_string(problem.values.size()));
  }
  if (problem.costs.size() != problem.options && problem.costs.size() != problem.values.size()) {
    throw Error(ErrorCode::shape_mismatch, "costs",
                "`costs` must have " + std::to_string(problem.options) + " integers (shared by all groups) or " +
                    std::to_string(problem.values.size()) + " (one per value), got " +
                    std::to_string(problem.costs.size()));
  }
}

void check_numbers(const KnapsackProblem& problem) {
  for (std::size_t i = 0; i < problem.values.size(); ++i) {
    if (!std::isfinite(problem.values[i])) {
      throw Error(ErrorCode::not_finite, "values",
                  "`values` must be finite, but is not for group " + std::to_string(i / problem.options) + ", option " +
                      std::to_string(i % problem.options));
    }
  }
  for (std::size_t i = 0; i < problem.costs.size(); ++i) {
    if (problem.costs[i] < 0 || problem.costs[i] > largest_total) {
      throw Error(ErrorCode::out_of_range, "costs",
                  "`costs` must be integers in [0, 2^53], got " + std::to_string(problem.costs[i]) + " at position " +
                      std::to_string(i));
    }
  }
}

[[noreturn]] void throw_infeasible(const std::string& must, std::int64_t budget) {
  throw Error(ErrorCode::out_of_range, "budget", "`budget` must be " + must + ", got " + std::to_string(budget));
}

/// The order of a group's options by cost, then index, and what its costs are.
struct CostOrder {
  std::vector<std::int32_t> order;
  std::int64_t low = 0, high = 0, unit = 0;

  explicit CostOrder(std::size_t options) : order(options) { std::iota(order.begin(), order.end(), 0); }

  void read(const std::int64_t* costs) {
    const auto before = [costs](std::int32_t a, std::int32_t b) {
      return costs[a] != costs[b] ? costs[a] < costs[b] : a < b;
    };
    // Most groups come in the order of the one before.
    if (!std::is_sorted(order.begin(), order.end(), before)) std::sort(order.begin(), order.end(), before);
    low = costs[order.front()];
    high = costs[order.back()];
    unit = 0;
    for (std::size_t k = 0; k < order.size() && unit != 1; ++k) unit = std::gcd(unit, costs[k] - low);
  }
};

/// Appends the options of one group by ascending cost, without those that never win.
void append_group(LargeVector<Option>& options, const CostOrder& group, const double* values, const std::int64_t* costs,
                  KnapsackConstraint constraint) {
  const std::size_t first = options.size();
  for (const std::int32_t index : group.order) {
    const Option option{values[index], costs[index] - group.low, index};
    if (options.size() > first) {
      Option& last = options.back();
      const bool better = option.value < last.value;
      if (option.cost == last.cost) {
        if (better) last = option;
        continue;
      }
      if (!better && constraint == KnapsackConstraint::at_most) continue;
    }
    options.push_back(option);
  }
}

}  // namespace

ReducedProblem reduce(const KnapsackProblem& problem) {
  check_shapes(problem);
  check_numbers(problem);
  const std::size_t groups = problem.groups, count = problem.options;
  const bool shared = problem.costs.size() == count;
  ReducedProblem reduced;
  reduced.constraint = problem.constraint;
  reduced.starts.reserve(groups + 1);
  reduced.starts.push_back(0);
  reduced.options.reserve(problem.values.size());
  CostOrder group(count);
  group.read(problem.costs.data());
  std::int64_t smallest = 0, largest = 0, unit = 0;
  for (std::size_t i = 0; i < groups; ++i) {
    const std::int64_t* const costs = problem.costs.data() + (shared ? 0 : i * count);
    if (!shared) group.read(costs);
    smallest += group.low;
    largest += group.high;
    if (largest > largest_total) {
      throw Error(ErrorCode::out_of_range, "costs", "`costs` must add up to at most 2^53");
    }
    append_group(reduced.options, group, problem.values.data() + i * count, costs, problem.constraint);
    reduced.starts.push_back(reduced.options.size());
    unit = std::gcd(unit, group.unit);
  }
  reduced.unit = unit == 0 ? 1 : unit;
  reduced.offset = smallest;
  if (problem.budget < smallest) {
    throw_infeasible("at least " + std::to_string(smallest) + ", the cost of the cheapest assignment", problem.budget);
  }
  const bool exact = problem.constraint == KnapsackConstraint::equal;
  if (exact && problem.budget > largest) {
    throw_infeasible("at most " + std::to_string(largest) + ", the cost of the dearest assignment", problem.budget);
  }
  const std::int64_t above = problem.budget - smallest;
  if (exact && above % reduced.unit != 0) {
    const std::int64_t below = smallest + above / reduced.unit * reduced.unit;
    throw_infeasible("the cost of an assignment: " + std::to_string(smallest) + " plus a multiple of " +
                         std::to_string(reduced.unit) + " (for example " + std::to_string(below) + ")",
                     problem.budget);
  }
  if (reduced.unit != 1) {
    for (Option& option : reduced.options) option.cost /= reduced.unit;
  }
  std::int64_t most = 0;
  for (std::size_t i = 0; i < groups; ++i) most += reduced.group(i).back().cost;
  reduced.budget = std::min(above / reduced.unit, most);
  return reduced;
}

namespace {

/// A table this small is solved at once.
constexpr double small_table = 4e6;
/// The largest table that is taken when the core did not prove its solution: some ten seconds.
constexpr double large_table = 2e10;

void require_equality_method(const ReducedProblem& problem, KnapsackMethod method) {
  if (problem.constraint == KnapsackConstraint::at_most) return;
  throw Error(ErrorCode::invalid_argument_value, "method",
              std::string("`method` must be 'automatic', 'dynamic-programming' or 'core' for an equality, got '") +
                  knapsack_method_name(method) + "'");
}

void require_table(const ReducedProblem& problem) {
  if (table_fits(problem)) return;
  throw Error(ErrorCode::invalid_argument_value, "method",
              "`method` must not be 'dynamic-programming' here: it takes at most 256 options per group and a budget "
              "below 2^26 units, got a budget of " +
                  std::to_string(problem.budget) + " units of " + std::to_string(problem.unit));
}

struct Dispatched {
  Found found;
  KnapsackMethod method;
};

/// The table's solution, or the hull's where the table was cut; for equalities the hull has none.
Dispatched table_or_hull(const ReducedProblem& problem, const KnapsackOptions& options, RunControl& control) {
  Found table = solve_table(problem, options.table_bytes, control);
  if (!table.positions.empty()) return {std::move(table), KnapsackMethod::dynamic_programming};
  Found hull = solve_hull(problem);
  hull.stopped = table.stopped;
  return {std::move(hull), KnapsackMethod::hull};
}

Dispatched dispatch(const ReducedProblem& problem, const KnapsackOptions& options, RunControl& control) {
  const bool fits = table_fits(problem);
  switch (options.method) {
    case KnapsackMethod::hull:
      require_equality_method(problem, options.method);
      return {solve_hull(problem), KnapsackMethod::hull};
    case KnapsackMethod::lagrangian:
      require_equality_method(problem, options.method);
      return {solve_lagrangian(problem, control), KnapsackMethod::lagrangian};
    case KnapsackMethod::dynamic_programming:
      require_table(problem);
      return table_or_hull(problem, options, control);
    case KnapsackMethod::automatic:
    case KnapsackMethod::core:
      break;
  }
  const bool automatic = options.method == KnapsackMethod::automatic;
  if (automatic && fits && table_operations(problem) <= small_table) {
    return table_or_hull(problem, options, control);
  }
  const Found hull = solve_hull(problem);
  Found core = solve_core(problem, hull, control);
  const bool unsolved = !core.optimal && core.stopped == StopReason::none;
  // Without a solution of an equality the table is the only way left, however long it takes.
  if (unsolved && fits && (core.positions.empty() || table_operations(problem) <= large_table)) {
    Found table = solve_table(problem, options.table_bytes, control);
    if (!table.positions.empty() || core.positions.empty()) {
      return {std::move(table), KnapsackMethod::dynamic_programming};
    }
    core.stopped = table.stopped;
  }
  return {std::move(core), KnapsackMethod::core};
}

}  // namespace
}  // namespace knapsack

const char* knapsack_method_name(KnapsackMethod method) noexcept {
  switch (method) {
    case KnapsackMethod::automatic:
      return "automatic";
    case KnapsackMethod::dynamic_programming:
      return "dynamic-programming";
    case KnapsackMethod::hull:
      return "hull";
    case KnapsackMethod::lagrangian:
      return "lagrangian";
    case KnapsackMethod::core:
      return "core";
  }
  return "";
}

KnapsackSolution solve_knapsack(const KnapsackProblem& problem, const KnapsackOptions& options, RunControl& control) {
  const knapsack::ReducedProblem reduced = knapsack::reduce(problem);
  const knapsack::Dispatched dispatched = knapsack::dispatch(reduced, options, control);
  const knapsack::Found& found = dispatched.found;
  if (found.positions.empty()) {
    throw Error(ErrorCode::not_converged, "budget",
                "no assignment that costs exactly `budget` was found before the search had to stop; "
                "allow it more time, or ask for the largest reachable total");
  }
  KnapsackSolution solution;
  solution.choices.resize(problem.groups);
  std::int64_t cost = 0;
  for (std::size_t i = 0; i < problem.groups; ++i) {
    const knapsack::Option& option = reduced.group(i)[static_cast<std::size_t>(found.positions[i])];
    solution.choices[i] = option.index;
    solution.value += option.value;
    cost += option.cost;
  }
  solution.cost = reduced.offset + reduced.unit * cost;
  solution.lower_bound = found.optimal ? solution.value : std::min(found.lower_bound, solution.value);
  solution.gap = solution.value - solution.lower_bound;
  solution.method = dispatched.method;
  solution.stopped = found.stopped;
  return solution;
}

KnapsackSolution solve_knapsack(const KnapsackProblem& problem, const KnapsackOptions& options) {
  RunControl control;
  return solve_knapsack(problem, options, control);
}

}  // namespace dd::quantize
