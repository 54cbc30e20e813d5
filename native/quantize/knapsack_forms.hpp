// What the knapsack solvers share: the reduced problem and the solvers' entries. Not for users of knapsack.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "core/run_control.hpp"
#include "quantize/knapsack.hpp"

namespace dd::quantize::knapsack {

struct Option {
  double value;
  std::int64_t cost;   ///< in units, above the group's cheapest option
  std::int32_t index;  ///< in the original group
};

/// Options by ascending cost, none twice at one cost, none dominated (at_most); costs start at 0 in every group and
/// have no common divisor; the budget is at most the sum of the largest costs.
struct ReducedProblem {
  std::vector<std::size_t> starts;
  LargeVector<Option> options;
  std::int64_t budget = 0;
  std::int64_t unit = 1;  ///< original cost = offset + unit * reduced cost
  std::int64_t offset = 0;
  KnapsackConstraint constraint = KnapsackConstraint::at_most;

  std::size_t groups() const noexcept { return starts.size() - 1; }
  std::span<const Option> group(std::size_t i) const noexcept {
    return {options.data() + starts[i], starts[i + 1] - starts[i]};
  }
};

/// Checks everything and reduces; throws as solve_knapsack does.
ReducedProblem reduce(const KnapsackProblem& problem);

/// Positions in the reduced groups.
using Positions = std::vector<std::int32_t>;

struct Found {
  Positions positions;     ///< empty: nothing found
  double lower_bound = 0;  ///< -infinity: unknown
  double price = 0;        ///< multiplier of the budget that gave the bound
  bool optimal = false;
  StopReason stopped = StopReason::none;
};

/// Price and greedy solution (positions are filled for at_most only).
Found solve_hull(const ReducedProblem& problem);
Found solve_lagrangian(const ReducedProblem& problem, RunControl& control);
/// Starts from the hull's solution and price.
Found solve_core(const ReducedProblem& problem, const Found& hull, RunControl& control);
/// How far assignments are from the relaxation's bound, the distances of knapsack_core.cpp.
struct Deviation {
  double least = 0;     ///< no assignment is nearer than this or `most`
  Positions positions;  ///< an assignment, empty where none was found
  double distance = 0;  ///< of `positions`
};
/// answers: an option of least value + price cost in every group. Tries nothing where that would take long.
Deviation shortest_deviation(const ReducedProblem& problem, double price, const Positions& answers, double most,
                             RunControl& control);
/// Operations of the table, for the choice of a method.
double table_operations(const ReducedProblem& problem);
bool table_fits(const ReducedProblem& problem);
Found solve_table(const ReducedProblem& problem, std::size_t table_bytes, RunControl& control);

/// Single upgrades (any option of a group for a dearer one) while they fit and gain, the largest gain first.
void upgrade(const ReducedProblem& problem, Positions& positions, std::int64_t slack);

}  // namespace dd::quantize::knapsack
