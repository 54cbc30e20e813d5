// Budgeted discrete assignment (multiple-choice knapsack): one option per group, integer costs under a budget. Bits to
// columns, rates to layers and the inner step of RCO are all this problem.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/run_control.hpp"

namespace dd::quantize {

enum class KnapsackMethod : std::uint8_t {
  automatic,            ///< a small table, else core, else a large table where that is affordable
  dynamic_programming,  ///< exact: O(N K B), B the budget after division by the costs' common unit
  hull,                 ///< greedy on convex hulls: O(N K) expected, within one increment of the optimum
  lagrangian,           ///< bisection on the price of a unit of cost: O(64 N K), least memory
  core,                 ///< hull, then exact search among the options whose reduced cost is below the gap
};
/// "automatic", "dynamic-programming", "hull", "lagrangian" or "core".
const char* knapsack_method_name(KnapsackMethod method) noexcept;

enum class KnapsackConstraint : std::uint8_t {
  at_most,            ///< total cost <= budget
  equal,              ///< total cost == budget
  largest_reachable,  ///< total cost == the largest total <= budget that some assignment has
};

/// N groups with K options each. `values`: N x K, row by row, finite, minimised. `costs`: K (the same for all groups)
/// or N x K; integers >= 0, in any order, whose sum of maxima stays below 2^53.
struct KnapsackProblem {
  std::size_t groups = 0;
  std::size_t options = 0;
  std::span<const double> values;
  std::span<const std::int64_t> costs;
  std::int64_t budget = 0;
  KnapsackConstraint constraint = KnapsackConstraint::at_most;
};

struct KnapsackOptions {
  KnapsackMethod method = KnapsackMethod::automatic;
  /// Bytes that back-pointers may take; beyond, the table is split (Hirschberg 1975) at about twice the time.
  std::size_t table_bytes = std::size_t{256} << 20;
};

struct KnapsackSolution {
  std::vector<std::int32_t> choices;  ///< option of each group
  double value = 0;                   ///< sum of values, added in group order
  std::int64_t cost = 0;
  double lower_bound = 0;  ///< no assignment within the budget has a smaller value (up to rounding)
  double gap = 0;          ///< value - lower_bound; 0 when the solution is proven optimal
  KnapsackMethod method = KnapsackMethod::automatic;  ///< the one that gave the solution
  StopReason stopped = StopReason::none;              ///< why the search ended early with its best so far
};

/// Minimises the sum of values under the constraint. Exact methods break ties for lower cost, then lower option.
///
/// Results do not depend on the number of threads. `dynamic_programming` needs K <= 256 after equal and (but for
/// equalities) dominated options are dropped, and a reduced budget below 2^26. `hull` and `lagrangian` do not know
/// equalities. `core` keeps at most some millions of partial assignments; when they do not suffice, shortest paths (for
/// many groups of few kinds) and after them a table are tried
/// where that takes seconds (`method` then says so), else the solution is the best found, with its gap.
/// A run that is stopped gives the best so far, at least the hull's solution; an equality may have none yet, and then
/// ERR_NOT_CONVERGED says so.
/// @throws Error  "values", "costs" or "budget": a shape, a value or a sum is not as above, or no assignment fulfils
///   the constraint (the message says which budget would do); "method" when it cannot solve this problem.
/// Source: Kellerer, Pferschy, Pisinger, Knapsack Problems (2004), chapter 11; specs/quant.md, section 6.
KnapsackSolution solve_knapsack(const KnapsackProblem& problem, const KnapsackOptions& options, RunControl& control);
KnapsackSolution solve_knapsack(const KnapsackProblem& problem, const KnapsackOptions& options = {});

}  // namespace dd::quantize
