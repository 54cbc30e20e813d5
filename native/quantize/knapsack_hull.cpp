// The linear relaxation and the solutions that follow from it. On its lower convex hull a group is a chain of
// increments (cost for gain) of falling slope; taking increments in order of slope until the budget is spent solves the
// relaxation, and the slope at which it ends is the price of a unit of budget.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "quantize/knapsack_forms.hpp"

namespace dd::quantize::knapsack {
namespace {

struct Increment {
  double slope;  ///< value gained per unit of cost
  std::int64_t cost;
  std::uint32_t group;
  std::int32_t from, to;  ///< positions in the group
};

bool before(const Increment& a, const Increment& b) {
  if (a.slope != b.slope) return a.slope > b.slope;
  if (a.group != b.group) return a.group < b.group;
  return a.to < b.to;
}

Increment increment(std::span<const Option> group, std::size_t i, std::int32_t from, std::int32_t to) {
  const Option& low = group[static_cast<std::size_t>(from)];
  const Option& high = group[static_cast<std::size_t>(to)];
  const std::int64_t cost = high.cost - low.cost;
  return {(low.value - high.value) / static_cast<double>(cost), cost, static_cast<std::uint32_t>(i), from, to};
}

/// Calls use(increment) for the increments of every hull; within a group slopes fall strictly. They are made anew at
/// each call: that is faster than to store them.
template <class Use>
void for_each_increment(const ReducedProblem& problem, Use use) {
  std::vector<Increment> hull;
  for (std::size_t i = 0; i < problem.groups(); ++i) {
    const std::span<const Option> group = problem.group(i);
    if (hull.size() < group.size()) hull.resize(group.size());
    std::size_t count = 0;
    for (std::int32_t to = 1; to < static_cast<std::int32_t>(group.size()); ++to) {
      Increment next = increment(group, i, to - 1, to);
      while (count > 0 && hull[count - 1].slope <= next.slope) next = increment(group, i, hull[--count].from, to);
      hull[count++] = next;
    }
    for (std::size_t k = 0; k < count; ++k) use(hull[k]);
  }
}

/// Number of a narrow interval of slopes, rising as slopes fall: sign, exponent and the first 4 bits of the fraction.
std::size_t interval_of(double slope) {
  const auto bits = std::bit_cast<std::uint64_t>(slope + 0.0);  // -0 becomes 0
  const std::uint64_t rising = (bits >> 63) != 0 ? ~bits : bits | (std::uint64_t{1} << 63);
  return static_cast<std::size_t>(~rising >> 48);
}
constexpr std::size_t intervals = std::size_t{1} << 16;

using Iterator = std::vector<Increment>::iterator;

/// Reorders so that the increments before the returned one are those that come first by `before` and fit together;
/// the returned one (if any) does not fit any more. `left` becomes what is left of the budget. O(n).
Iterator split_by_budget(std::vector<Increment>& all, std::int64_t& left) {
  Iterator low = all.begin(), high = all.end();
  while (low != high) {
    const Iterator middle = low + (high - low) / 2;
    std::nth_element(low, middle, high, before);
    std::int64_t cost = middle->cost;
    for (Iterator it = low; it != middle; ++it) cost += it->cost;
    if (cost <= left) {
      left -= cost;
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/// Takes what still fits, in order of slope.
void take_remaining(const ReducedProblem& problem, Positions& positions, std::int64_t& left) {
  std::vector<Increment> open;
  for_each_increment(problem, [&](const Increment& it) {
    if (it.from >= positions[it.group] && it.cost <= left) open.push_back(it);
  });
  auto first = open.begin();
  std::ptrdiff_t piece = 1 << 12;
  while (first != open.end() && left > 0) {
    const Iterator end = open.end() - first > piece ? first + piece : open.end();
    if (end != open.end()) std::nth_element(first, end, open.end(), before);
    std::sort(first, end, before);
    for (; first != end; ++first) {
      std::int32_t& position = positions[first->group];
      if (position != first->from || first->cost > left) continue;
      position = first->to;
      left -= first->cost;
    }
    piece *= 4;
  }
}

double total_value(const ReducedProblem& problem, const Positions& positions) {
  double value = 0;
  for (std::size_t i = 0; i < problem.groups(); ++i) {
    value += problem.group(i)[static_cast<std::size_t>(positions[i])].value;
  }
  return value;
}

}  // namespace

void upgrade(const ReducedProblem& problem, Positions& positions, std::int64_t slack) {
  struct Upgrade {
    double gain;
    std::int64_t cost;
    std::size_t group;
    std::int32_t to;
  };
  std::vector<Upgrade> upgrades;
  while (slack > 0) {
    upgrades.clear();
    for (std::size_t i = 0; i < problem.groups(); ++i) {
      const std::span<const Option> group = problem.group(i);
      const Option& now = group[static_cast<std::size_t>(positions[i])];
      Upgrade best{0, 0, i, -1};
      for (std::size_t k = static_cast<std::size_t>(positions[i]) + 1; k < group.size(); ++k) {
        if (group[k].cost - now.cost > slack) break;
        const double gain = now.value - group[k].value;
        if (gain > best.gain) best = {gain, group[k].cost - now.cost, i, static_cast<std::int32_t>(k)};
      }
      if (best.to >= 0) upgrades.push_back(best);
    }
    if (upgrades.empty()) return;
    std::sort(upgrades.begin(), upgrades.end(), [](const Upgrade& a, const Upgrade& b) {
      if (a.gain != b.gain) return a.gain > b.gain;
      return a.group < b.group;
    });
    for (const Upgrade& it : upgrades) {
      if (it.cost > slack) continue;
      positions[it.group] = it.to;
      slack -= it.cost;
    }
  }
}

Found solve_hull(const ReducedProblem& problem) {
  std::vector<std::int64_t> costs(intervals, 0);
  for_each_increment(problem, [&](const Increment& it) { costs[interval_of(it.slope)] += it.cost; });
  std::int64_t left = problem.budget;
  std::size_t critical = 0;
  while (critical < intervals && costs[critical] <= left) left -= costs[critical++];

  Found found;
  found.positions.assign(problem.groups(), 0);
  std::vector<Increment> undecided;
  for_each_increment(problem, [&](const Increment& it) {
    const std::size_t interval = interval_of(it.slope);
    if (interval < critical) found.positions[it.group] = it.to;
    if (interval == critical) undecided.push_back(it);
  });
  const Iterator split = split_by_budget(undecided, left);
  for (Iterator it = undecided.begin(); it != split; ++it) {
    // In any order: the last increment of a group has the highest position.
    std::int32_t& position = found.positions[it->group];
    position = std::max(position, it->to);
  }
  found.lower_bound = total_value(problem, found.positions);
  if (critical == intervals || left == 0) {
    found.optimal = true;
    return found;
  }
  found.price = split->slope;
  found.lower_bound -= split->slope * static_cast<double>(left);
  if (problem.constraint != KnapsackConstraint::at_most) {
    found.positions.clear();
    return found;
  }
  take_remaining(problem, found.positions, left);
  upgrade(problem, found.positions, left);
  return found;
}

Found solve_lagrangian(const ReducedProblem& problem, RunControl& control) {
  struct Priced {
    double value = 0;
    std::int64_t cost = 0;
  };
  Positions positions(problem.groups());
  // The cheapest of the best answers to a price, and what they cost together.
  const auto answer = [&](double price) {
    Priced sum;
    for (std::size_t i = 0; i < problem.groups(); ++i) {
      const std::span<const Option> group = problem.group(i);
      std::size_t best = 0;
      double smallest = group[0].value;
      for (std::size_t k = 1; k < group.size(); ++k) {
        const double value = group[k].value + price * static_cast<double>(group[k].cost);
        if (value < smallest) {
          smallest = value;
          best = k;
        }
      }
      positions[i] = static_cast<std::int32_t>(best);
      sum.value += group[best].value;
      sum.cost += group[best].cost;
    }
    return sum;
  };
  const auto bound = [&](const Priced& sum, double price) {
    return sum.value - price * static_cast<double>(problem.budget - sum.cost);
  };
  Found found;
  Priced sum = answer(0);
  found.lower_bound = sum.value;
  if (sum.cost <= problem.budget) {
    found.positions = std::move(positions);
    found.optimal = true;
    return found;
  }
  double high = 0;  // a price at which every group takes its cheapest option
  for (std::size_t i = 0; i < problem.groups(); ++i) {
    for (const Option& option : problem.group(i).subspan(1)) {
      high = std::max(high, (problem.group(i)[0].value - option.value) / static_cast<double>(option.cost));
    }
  }
  double low = 0;
  high = std::nextafter(high, std::numeric_limits<double>::infinity());
  // By rounding a dearer option can look as good as the cheapest; farther up it cannot.
  while (answer(high).cost > problem.budget) high *= 2;
  found.price = high;
  constexpr int halvings = 64;
  for (int halving = 0; halving < halvings; ++halving) {
    const double middle = low + (high - low) / 2;
    if (!(middle > low && middle < high)) break;
    found.stopped = control.stop_reason();
    if (found.stopped != StopReason::none) break;
    sum = answer(middle);
    found.lower_bound = std::max(found.lower_bound, bound(sum, middle));
    if (sum.cost == problem.budget) {
      high = middle;
      break;
    }
    (sum.cost < problem.budget ? high : low) = middle;
    if (control.wants_progress()) {
      Progress progress;
      progress.phase = "price";
      progress.fraction = halving / static_cast<double>(halvings);
      progress.iterations = static_cast<std::uint64_t>(halving) + 1;
      progress.lower_bound = found.lower_bound;
      control.report(progress);
    }
  }
  found.price = high;
  sum = answer(high);
  found.lower_bound = std::max(found.lower_bound, bound(sum, high));
  found.optimal = sum.cost == problem.budget;
  upgrade(problem, positions, problem.budget - sum.cost);
  found.positions = std::move(positions);
  return found;
}

}  // namespace dd::quantize::knapsack
