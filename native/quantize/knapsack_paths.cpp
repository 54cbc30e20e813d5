// Assignments near the relaxation's answers as shortest paths. Every change of a group's answer is a move: it adds to
// the cost and has a reduced cost >= 0. Whatever moves an assignment makes, their order can be chosen such that the
// cost so far never leaves a window of the largest move's width around the way from the answers' cost to the budget (a
// move down when it is above, up when below). So the shortest path through the window, where every move may be made any
// number of times, is a lower bound for the distance of all assignments; and where it makes a move no oftener than
// there are groups for it, it is an assignment. Many groups of few kinds are solved like this, which the core search
// cannot tell apart (the window: Eisenbrand, Weismantel, ACM Trans. Algorithms 16(1), 2020, for one constraint).
#include <algorithm>
#include <cmath>
#include <queue>
#include <utility>

#include "core/infinity.hpp"
#include "quantize/knapsack_forms.hpp"

namespace dd::quantize::knapsack {
namespace {

/// Places of the window times moves: some tenths of a second.
constexpr double most_steps = 3e7;
constexpr std::size_t most_moves = 4096;

struct Move {
  std::int64_t cost;
  double reduced;
};

class Paths {
 public:
  Paths(const ReducedProblem& problem, double price, const Positions& answers)
      : problem_(problem), price_(price), answers_(answers), left_(problem.budget) {
    for (std::size_t i = 0; i < problem.groups(); ++i) left_ -= chosen(i).cost;
  }

  Deviation solve(double most, RunControl& control) {
    Deviation found;
    if (!collect(most)) return found;
    std::int64_t widest = 1;
    for (const Move& move : moves_) widest = std::max(widest, std::abs(move.cost));
    low_ = std::min<std::int64_t>(0, left_) - widest;
    const std::int64_t places = std::max<std::int64_t>(0, left_) + widest - low_ + 1;
    if (static_cast<double>(places) * static_cast<double>(moves_.size()) > most_steps) return found;
    if (!search(static_cast<std::size_t>(places), most, control)) return found;
    found.least = distance_[place(left_)];
    if (found.least < most) assign(found);
    return found;
  }

 private:
  const Option& chosen(std::size_t i) const { return problem_.group(i)[static_cast<std::size_t>(answers_[i])]; }
  std::size_t place(std::int64_t cost) const noexcept { return static_cast<std::size_t>(cost - low_); }
  bool may_leave() const noexcept { return problem_.constraint == KnapsackConstraint::at_most; }

  template <class Use>
  void for_moves(std::size_t i, Use use) const {
    const Option& from = chosen(i);
    const std::span<const Option> group = problem_.group(i);
    for (std::size_t k = 0; k < group.size(); ++k) {
      if (static_cast<std::int32_t>(k) == answers_[i]) continue;
      const std::int64_t cost = group[k].cost - from.cost;
      use(Move{cost, std::max(0.0, group[k].value - from.value + price_ * static_cast<double>(cost))}, k);
    }
  }

  /// The cheapest move of every cost; false where there are too many costs.
  bool collect(double most) {
    const auto before = [](const Move& a, const Move& b) {
      return a.cost != b.cost ? a.cost < b.cost : a.reduced < b.reduced;
    };
    const auto tidy = [&] {
      std::sort(moves_.begin(), moves_.end(), before);
      const auto same = [](const Move& a, const Move& b) { return a.cost == b.cost; };
      moves_.erase(std::unique(moves_.begin(), moves_.end(), same), moves_.end());
    };
    for (std::size_t i = 0; i < problem_.groups(); ++i) {
      for_moves(i, [&](const Move& move, std::size_t) {
        if (move.reduced < most) moves_.push_back(move);
      });
      if (moves_.size() < 4 * most_moves) continue;
      tidy();
      if (moves_.size() > most_moves) return false;
    }
    tidy();
    // A unit left over costs its price.
    if (may_leave()) moves_.push_back({1, price_});
    return moves_.size() <= most_moves;
  }

  /// Dijkstra's algorithm; false when it was stopped.
  bool search(std::size_t places, double most, RunControl& control) {
    distance_.assign(places, infinity);
    last_.assign(places, -1);
    using Entry = std::pair<double, std::size_t>;
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue;
    distance_[place(0)] = 0;
    queue.push({0, place(0)});
    std::size_t count = 0;
    while (!queue.empty()) {
      const auto [distance, at] = queue.top();
      queue.pop();
      if (distance > distance_[at]) continue;
      if (at == place(left_)) return true;
      if (++count % 256 == 0 && control.should_stop()) return false;
      for (std::size_t m = 0; m < moves_.size(); ++m) {
        const std::int64_t to = static_cast<std::int64_t>(at) + moves_[m].cost;
        if (to < 0 || to >= static_cast<std::int64_t>(places)) continue;
        const double next = distance + moves_[m].reduced;
        if (!(next < most) || !(next < distance_[static_cast<std::size_t>(to)])) continue;
        distance_[static_cast<std::size_t>(to)] = next;
        last_[static_cast<std::size_t>(to)] = static_cast<std::int32_t>(m);
        queue.push({next, static_cast<std::size_t>(to)});
      }
    }
    // No path is shorter than `most`.
    distance_[place(left_)] = std::max(most, 0.0);
    return true;
  }

  /// Gives each move of the path to the groups where it costs least, no group more than one.
  void assign(Deviation& found) const {
    std::vector<std::size_t> times(moves_.size(), 0);
    for (std::size_t at = place(left_); at != place(0);) {
      const auto m = static_cast<std::size_t>(last_[at]);
      ++times[m];
      at = static_cast<std::size_t>(static_cast<std::int64_t>(at) - moves_[m].cost);
    }
    struct Place {
      double reduced;
      std::size_t group, position;
      bool operator<(const Place& other) const {
        return reduced != other.reduced ? reduced < other.reduced : group < other.group;
      }
    };
    Positions positions = answers_;
    double distance = 0;
    if (may_leave()) {
      distance += static_cast<double>(times.back()) * price_;
      times.back() = 0;
    }
    for (std::size_t m = 0; m < moves_.size(); ++m) {
      if (times[m] == 0) continue;
      std::vector<Place> where;
      for (std::size_t i = 0; i < problem_.groups(); ++i) {
        if (positions[i] != answers_[i]) continue;
        for_moves(i, [&](const Move& move, std::size_t k) {
          if (move.cost == moves_[m].cost) where.push_back({move.reduced, i, k});
        });
      }
      if (where.size() < times[m]) return;
      const auto end = where.begin() + static_cast<std::ptrdiff_t>(times[m]);
      std::partial_sort(where.begin(), end, where.end());
      for (auto own = where.begin(); own != end; ++own) {
        positions[own->group] = static_cast<std::int32_t>(own->position);
        distance += own->reduced;
      }
    }
    found.positions = std::move(positions);
    found.distance = distance;
  }

  const ReducedProblem& problem_;
  double price_;
  const Positions& answers_;
  std::int64_t left_, low_ = 0;
  std::vector<Move> moves_;
  std::vector<double> distance_;
  std::vector<std::int32_t> last_;  ///< the move by which a place was reached
};

}  // namespace

Deviation shortest_deviation(const ReducedProblem& problem, double price, const Positions& answers, double most,
                             RunControl& control) {
  return Paths(problem, price, answers).solve(most, control);
}

}  // namespace dd::quantize::knapsack
