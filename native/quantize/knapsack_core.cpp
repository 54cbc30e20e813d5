// The core search. At the relaxation's price every option has a reduced cost >= 0, the loss against the best answer of
// its group, and an assignment's distance to the lower bound is the sum of its reduced costs plus the price of what it
// leaves unspent. Only options whose reduced cost lies below the best distance known can improve, which leaves few
// groups open; partial assignments of those, undominated and within the distance, are carried from group to group,
// those with the smallest reduced costs first (Pisinger, EJOR 83 (1995)).
#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/infinity.hpp"
#include "quantize/knapsack_forms.hpp"

namespace dd::quantize::knapsack {
namespace {

/// Partial assignments that may be kept: 2^24 take 128 MiB.
constexpr std::size_t largest_history = std::size_t{1} << 24;
/// Open groups of the first attempt.
constexpr std::size_t first_core = 32;
/// Before it, a quick look for a better solution than the hull's: where values have equal steps, thousands of groups
/// are equally open, and a few of each kind are as good as all of them.
constexpr std::size_t first_copies = 8, first_history = std::size_t{1} << 20;
constexpr double equally = 1e-9, rounding = 1e-15;

struct State {
  std::int64_t cost;  ///< above that of the best answers
  double distance;    ///< sum of reduced costs
  std::uint32_t parent;
  std::int32_t position;
};

struct Step {
  std::uint32_t parent;
  std::int32_t position;
};

/// The largest number of which all values are multiples but for their rounding (0.3 is one of 0.1), or 0 where there is
/// none or the roundings of a sum might add up to a notable part of it.
double step_of_values(const ReducedProblem& problem) {
  double largest = 0;
  for (const Option& option : problem.options) largest = std::max(largest, std::fabs(option.value));
  const double smallest_step = largest * 0x1p-30, noise = largest * 0x1p-38;
  const auto distance = [](double value, double step) {
    return std::fabs(value - step * std::nearbyint(value / step));
  };
  double step = 0;
  for (const Option& option : problem.options) {
    double rest = std::fabs(option.value);
    if (step > 0) rest = distance(rest, step);
    while (rest > noise) {  // Euclid
      if (step > 0 && rest < smallest_step) return 0;
      const double next = step > 0 ? distance(step, rest) : 0;
      step = rest;
      rest = next;
    }
  }
  if (!(step > 0)) return 0;
  step = largest / std::nearbyint(largest / step);
  double sum = 0;
  for (std::size_t i = 0; i < problem.groups(); ++i) {
    double worst = 0;
    for (const Option& option : problem.group(i)) worst = std::max(worst, distance(option.value, step));
    sum += worst + largest * 0x1p-52;
  }
  return sum <= step / 1024 ? step : 0;
}

class Core {
 public:
  Core(const ReducedProblem& problem, const Found& hull, RunControl& control)
      : problem_(problem), price_(hull.price), step_(step_of_values(problem)), control_(control) {
    answer();
    if (!hull.positions.empty()) {
      prefer(hull.positions);
      positions_ = hull.positions;
      best_ = distance_of(positions_);
    }
  }

  Found solve(double lower_bound) {
    Found found;
    found.price = price_;
    if (best_ < infinity) (void)search(below(best_), first_copies, first_history);
    // First with little memory: where that does not suffice, thousands of groups are alike, and paths may.
    if (!search_all(first_history, found) && stop_ == StopReason::none && !follow_paths(found)) {
      (void)search_all(largest_history, found);
    }
    found.lower_bound = lower_bound + std::min(least_, best_);
    found.positions = std::move(positions_);
    found.stopped = stop_;
    return found;
  }

 private:
  /// Searches farther and farther until the best is known to be that; false when it had to end before.
  bool search_all(std::size_t most_history, Found& found) {
    double limit = first_limit();
    while (stop_ == StopReason::none) {
      limit = std::min(limit, below(best_));
      const double before = best_;
      const bool complete = search(limit, problem_.groups(), most_history);
      if (!complete) return false;
      // Everything below the limit has been seen.
      if (best_ < before || limit >= below(best_) || (best_ == infinity && limit > largest_)) {
        found.optimal = best_ < infinity;
        return true;
      }
      limit *= 4;
    }
    return false;
  }

  /// A better bound and perhaps a better solution by shortest paths; whether nothing is better than the best.
  bool follow_paths(Found& found) {
    Deviation path = shortest_deviation(problem_, price_, answers_, below(best_), control_);
    least_ = std::max(least_, path.least);
    if (!path.positions.empty() && path.distance < best_) {
      best_ = path.distance;
      positions_ = std::move(path.positions);
    }
    stop_ = control_.stop_reason();
    // What is left of the difference are the roundings of sums over all groups.
    found.optimal = best_ < infinity && least_ >= std::min(below(best_), best_ - rounding * size_);
    return found.optimal;
  }

  /// What an assignment must stay below to be better than one at `distance`, with room for rounding.
  double below(double distance) const noexcept { return distance - step_ * (255.0 / 256); }

  double reduced(std::span<const Option> group, std::size_t position, std::size_t answer) const {
    return group[position].value - group[answer].value +
           price_ * static_cast<double>(group[position].cost - group[answer].cost);
  }

  /// The best answer of every group to the price, and how near its next best one comes.
  void answer() {
    const std::size_t groups = problem_.groups();
    answers_.resize(groups);
    second_.resize(groups);
    for (std::size_t i = 0; i < groups; ++i) {
      const std::span<const Option> group = problem_.group(i);
      double smallest = infinity, second = infinity, largest = 0;
      std::size_t best = 0;
      for (std::size_t k = 0; k < group.size(); ++k) {
        const double value = group[k].value + price_ * static_cast<double>(group[k].cost);
        largest = std::max(largest, value - group[0].value);
        if (value < smallest) {
          second = smallest;
          smallest = value;
          best = k;
        } else {
          second = std::min(second, value);
        }
      }
      answers_[i] = static_cast<std::int32_t>(best);
      second_[i] = second - smallest;
      cost_ += group[best].cost;
      size_ += std::fabs(group[best].value) + price_ * static_cast<double>(group[best].cost);
      largest_ += largest - (smallest - group[0].value);
    }
  }

  /// Of answers that are equally good those of a solution near the budget: from there it is not far.
  void prefer(const Positions& positions) {
    for (std::size_t i = 0; i < problem_.groups(); ++i) {
      if (positions[i] == answers_[i]) continue;
      const std::span<const Option> group = problem_.group(i);
      const auto from = static_cast<std::size_t>(answers_[i]), to = static_cast<std::size_t>(positions[i]);
      double size = 0;
      for (const std::size_t k : {from, to}) {
        size = std::max(size, std::fabs(group[k].value) + price_ * static_cast<double>(group[k].cost));
      }
      if (reduced(group, to, from) > rounding * size) continue;
      cost_ += group[to].cost - group[from].cost;
      answers_[i] = positions[i];
    }
  }

  double distance_of(const Positions& positions) const {
    double distance = 0;
    std::int64_t cost = 0;
    for (std::size_t i = 0; i < problem_.groups(); ++i) {
      const std::span<const Option> group = problem_.group(i);
      const auto position = static_cast<std::size_t>(positions[i]);
      if (positions[i] != answers_[i]) distance += reduced(group, position, static_cast<std::size_t>(answers_[i]));
      cost += group[position].cost;
    }
    return distance + price_ * static_cast<double>(problem_.budget - cost);
  }

  double first_limit() const {
    std::vector<double> nearest = second_;
    const std::size_t count = std::min(first_core, nearest.size());
    std::nth_element(nearest.begin(), nearest.begin() + static_cast<std::ptrdiff_t>(count - 1), nearest.end());
    const double limit = nearest[count - 1];
    return limit > 0 && limit < infinity ? limit : std::max(largest_ / static_cast<double>(nearest.size()), 1e-300);
  }

  /// Looks for assignments nearer than `limit`, among groups of which at most `copies` are equally open; false when it
  /// had to end early.
  bool search(double limit, std::size_t copies, std::size_t most_history) {
    open_.clear();
    for (std::size_t i = 0; i < second_.size(); ++i) {
      if (second_[i] < limit) open_.push_back(static_cast<std::uint32_t>(i));
    }
    std::sort(open_.begin(), open_.end(), [&](std::uint32_t a, std::uint32_t b) {
      return second_[a] != second_[b] ? second_[a] < second_[b] : a < b;
    });
    std::size_t kept = 0;
    for (const std::uint32_t group : open_) {
      if (kept < copies || second_[group] - second_[open_[kept - copies]] > equally * limit) open_[kept++] = group;
    }
    open_.resize(kept);
    reach(limit);
    history_.clear();
    ends_.clear();
    states_.assign(1, {0, 0.0, 0, 0});
    limit_ = limit;
    best_depth_ = 0;
    bool improved = consider(0);
    bool complete = true;
    for (std::size_t depth = 0; depth < open_.size() && second_[open_[depth]] < limit_; ++depth) {
      stop_ = control_.stop_reason();
      if (stop_ != StopReason::none || history_.size() + states_.size() > most_history) {
        complete = false;
        break;
      }
      if (control_.wants_progress()) control_.report(progress(depth));
      extend(depth);
      for (const State& state : states_) history_.push_back({state.parent, state.position});
      ends_.push_back(history_.size());
      if (consider(depth + 1)) improved = true;
      if (states_.empty()) break;
    }
    if (improved) trace_back();
    return complete;
  }

  Progress progress(std::size_t depth) const {
    Progress now;
    now.phase = "core";
    now.iterations = depth;
    return now;
  }

  /// How much the groups from a depth on can still change the cost.
  void reach(double limit) {
    fall_.assign(open_.size() + 1, 0);
    rise_.assign(open_.size() + 1, 0);
    for (std::size_t depth = open_.size(); depth-- > 0;) {
      const std::span<const Option> group = problem_.group(open_[depth]);
      const auto best = static_cast<std::size_t>(answers_[open_[depth]]);
      std::int64_t low = 0, high = 0;
      for (std::size_t k = 0; k < group.size(); ++k) {
        if (k == best || !(reduced(group, k, best) < limit)) continue;
        low = std::min(low, group[k].cost - group[best].cost);
        high = std::max(high, group[k].cost - group[best].cost);
      }
      fall_[depth] = fall_[depth + 1] + low;
      rise_[depth] = rise_[depth + 1] + high;
    }
  }

  bool hopeless(const State& state, std::size_t depth) const {
    const std::int64_t left = problem_.budget - cost_ - state.cost;
    if (!(state.distance < limit_) || left < fall_[depth]) return true;
    const std::int64_t unspent = left - rise_[depth];
    if (unspent <= 0) return false;
    if (problem_.constraint != KnapsackConstraint::at_most) return true;
    return !(state.distance + price_ * static_cast<double>(unspent) < limit_);
  }

  void extend(std::size_t depth) {
    const std::span<const Option> group = problem_.group(open_[depth]);
    const auto best = static_cast<std::size_t>(answers_[open_[depth]]);
    merged_.clear();
    for (std::size_t k = 0; k < group.size(); ++k) {
      const double distance = k == best ? 0 : std::max(0.0, reduced(group, k, best));
      if (!(distance < limit_)) continue;
      shifted_.clear();
      for (std::size_t s = 0; s < states_.size(); ++s) {
        const State next{states_[s].cost + group[k].cost - group[best].cost, states_[s].distance + distance,
                         static_cast<std::uint32_t>(s), static_cast<std::int32_t>(k)};
        if (!hopeless(next, depth + 1)) shifted_.push_back(next);
      }
      scratch_.resize(merged_.size() + shifted_.size());
      std::merge(
          merged_.begin(), merged_.end(), shifted_.begin(), shifted_.end(), scratch_.begin(),
          [](const State& a, const State& b) { return a.cost != b.cost ? a.cost < b.cost : a.distance < b.distance; });
      merged_.swap(scratch_);
    }
    states_.clear();
    double smallest = infinity;  // value relative to the answers, of the cheaper states
    for (const State& state : merged_) {
      if (problem_.constraint == KnapsackConstraint::at_most) {
        const double value = state.distance - price_ * static_cast<double>(state.cost);
        if (!(value < smallest)) continue;
        smallest = value;
      } else if (!states_.empty() && states_.back().cost == state.cost) {
        continue;
      }
      states_.push_back(state);
    }
  }

  /// Takes the nearest state that is a solution when the groups still open keep their answers.
  bool consider(std::size_t depth) {
    const std::int64_t left = problem_.budget - cost_;
    bool improved = false;
    for (std::size_t s = 0; s < states_.size(); ++s) {
      const State& state = states_[s];
      if (state.cost > left) break;
      if (problem_.constraint != KnapsackConstraint::at_most && state.cost != left) continue;
      const double distance = state.distance + price_ * static_cast<double>(left - state.cost);
      if (distance < limit_) {
        best_ = distance;
        limit_ = below(distance);
        best_depth_ = depth;
        best_state_ = s;
        improved = true;
      }
    }
    return improved;
  }

  void trace_back() {
    positions_ = answers_;
    std::size_t state = best_state_;
    for (std::size_t depth = best_depth_; depth-- > 0;) {
      const Step& step = history_[(depth == 0 ? 0 : ends_[depth - 1]) + state];
      positions_[open_[depth]] = step.position;
      state = step.parent;
    }
  }

  const ReducedProblem& problem_;
  double price_, step_;
  RunControl& control_;
  Positions answers_, positions_;
  std::vector<double> second_;  ///< smallest reduced cost of another option
  std::int64_t cost_ = 0;       ///< of the answers
  double largest_ = 0;          ///< no assignment is farther
  double size_ = 0;             ///< of the answers' values and costs, added up
  double least_ = 0;            ///< no assignment is nearer
  double best_ = infinity;      ///< distance of `positions_`
  double limit_ = infinity;
  std::vector<std::uint32_t> open_;
  std::vector<std::int64_t> fall_, rise_;
  std::vector<State> states_, merged_, shifted_, scratch_;
  std::vector<Step> history_;
  std::vector<std::size_t> ends_;
  std::size_t best_depth_ = 0, best_state_ = 0;
  StopReason stop_ = StopReason::none;
};

}  // namespace

Found solve_core(const ReducedProblem& problem, const Found& hull, RunControl& control) {
  if (hull.optimal) return hull;
  return Core(problem, hull, control).solve(hull.lower_bound);
}

}  // namespace dd::quantize::knapsack
