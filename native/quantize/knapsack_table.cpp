// Exact dynamic programming over the budget: a row holds, for every total cost, the smallest value of the groups so
// far. Where back-pointers of all rows take too much memory, the groups are halved (Hirschberg, CACM 18(6), 1975): the
// rows of both halves say how the budget splits, and each half is solved by itself.
#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.hpp"
#include "core/infinity.hpp"
#include "core/thread_pool.hpp"
#include "quantize/assignment_isa.hpp"
#include "quantize/knapsack_forms.hpp"

namespace dd::quantize::knapsack {
namespace {

constexpr std::int64_t largest_budget = (std::int64_t{1} << 26) - 1;
constexpr std::size_t chunk = std::size_t{1} << 14;

using Row = std::vector<double>;

class Table {
 public:
  Table(const ReducedProblem& problem, std::size_t table_bytes, RunControl& control)
      : problem_(problem), bytes_(table_bytes), control_(control), positions_(problem.groups()) {}

  Found solve() {
    Found found;
    const auto width = static_cast<std::size_t>(problem_.budget) + 1;
    const bool direct = fits(problem_.groups(), width);
    const Row row = sweep(0, problem_.groups(), width, direct);
    if (!stopped()) {
      const std::size_t total = pick(row);
      if (direct) {
        trace_back(0, problem_.groups(), width, total);
      } else {
        pointers_ = {};
        split(0, problem_.groups(), total);
      }
    }
    found.stopped = stop_;
    if (stop_ == StopReason::none) {
      found.positions = std::move(positions_);
      found.optimal = true;
    } else {
      found.lower_bound = -infinity;
    }
    return found;
  }

 private:
  bool fits(std::size_t groups, std::size_t width) const { return width <= bytes_ / groups; }
  bool stopped() const { return stop_ != StopReason::none; }

  /// The row after the groups [first, last); with `keep` their back-pointers stay in `pointers_`.
  Row sweep(std::size_t first, std::size_t last, std::size_t width, bool keep) {
    Row row(width, infinity), next(width);
    row[0] = 0;
    if (keep) pointers_.resize((last - first) * width);
    for (std::size_t i = first; i < last; ++i) {
      std::uint8_t* const pointers = keep ? pointers_.data() + (i - first) * width : nullptr;
      values_.clear();
      costs_.clear();
      for (const Option& option : problem_.group(i)) {
        values_.push_back(option.value);
        costs_.push_back(option.cost);
      }
      parallel_for(control_.threads(), width, chunk, [&](std::size_t begin, std::size_t end) {
        const KnapsackRowArguments arguments{values_.size(), values_.data(), costs_.data(), row.data(),
                                             next.data(),    pointers,       begin,         end};
        if (!control_.should_stop()) knapsack_row(&arguments);
      });
      stop_ = control_.stop_reason();
      if (stopped()) break;
      row.swap(next);
      ++rows_;
      if (control_.wants_progress()) {
        Progress progress;
        progress.phase = "table";
        progress.iterations = rows_;
        control_.report(progress);
      }
    }
    return row;
  }

  void trace_back(std::size_t first, std::size_t last, std::size_t width, std::size_t total) {
    for (std::size_t i = last; i-- > first;) {
      const std::uint8_t position = pointers_[(i - first) * width + total];
      positions_[i] = position;
      total -= static_cast<std::size_t>(problem_.group(i)[position].cost);
    }
  }

  /// The best assignment of the groups [first, last) that costs `total`.
  void split(std::size_t first, std::size_t last, std::size_t total) {
    const std::size_t width = total + 1;
    if (last - first == 1 || fits(last - first, width)) {
      (void)sweep(first, last, width, true);
      if (!stopped()) trace_back(first, last, width, total);
      return;
    }
    const std::size_t middle = first + (last - first) / 2;
    std::size_t best = 0;
    {
      const Row low = sweep(first, middle, width, false);
      if (stopped()) return;
      const Row high = sweep(middle, last, width, false);
      if (stopped()) return;
      double smallest = infinity;
      for (std::size_t b = 0; b < width; ++b) {
        const double value = low[b] + high[total - b];
        if (value < smallest) {
          smallest = value;
          best = b;
        }
      }
    }
    split(first, middle, best);
    if (!stopped()) split(middle, last, total - best);
  }

  /// The total cost of the solution: of equal values the cheapest.
  std::size_t pick(const Row& row) const {
    const std::size_t budget = row.size() - 1;
    if (problem_.constraint == KnapsackConstraint::at_most) {
      return static_cast<std::size_t>(std::min_element(row.begin(), row.end()) - row.begin());
    }
    std::size_t reachable = budget;
    while (row[reachable] == infinity) --reachable;  // row[0] is the cheapest assignment
    if (reachable != budget && problem_.constraint == KnapsackConstraint::equal) {
      const auto original = [&](std::size_t total) {
        return std::to_string(problem_.offset + problem_.unit * static_cast<std::int64_t>(total));
      };
      throw Error(ErrorCode::out_of_range, "budget",
                  "`budget` must be the cost of an assignment, the next below being " + original(reachable) + ", got " +
                      original(budget));
    }
    return reachable;
  }

  const ReducedProblem& problem_;
  std::size_t bytes_;
  RunControl& control_;
  Positions positions_;
  std::vector<std::uint8_t> pointers_;
  std::vector<double> values_;  ///< of the group in turn
  std::vector<std::int64_t> costs_;
  std::uint64_t rows_ = 0;
  StopReason stop_ = StopReason::none;
};

}  // namespace

double table_operations(const ReducedProblem& problem) {
  return static_cast<double>(problem.options.size()) * static_cast<double>(problem.budget + 1);
}

bool table_fits(const ReducedProblem& problem) {
  if (problem.budget > largest_budget) return false;
  for (std::size_t i = 0; i < problem.groups(); ++i) {
    if (problem.group(i).size() > 256) return false;
  }
  return true;
}

Found solve_table(const ReducedProblem& problem, std::size_t table_bytes, RunControl& control) {
  return Table(problem, table_bytes, control).solve();
}

}  // namespace dd::quantize::knapsack
