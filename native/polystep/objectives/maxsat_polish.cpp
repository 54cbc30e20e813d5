// probSAT. Of each clause the number of true literals and the exclusive or of their variables are kept: with one true
// literal left, that is the variable that alone holds the clause.
#include "polystep/objectives/maxsat_polish.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/aligned_buffer.hpp"
#include "core/philox.hpp"

namespace dd::polystep {
namespace {

constexpr std::uint32_t polish_purpose = 17;
/// Flips between two looks at the clock: about 0.2 ms.
constexpr std::uint64_t flips_per_poll = 1024;
/// The exponent of scores at the ends of a round, as multiples of the published one.
constexpr double first_sharpness = 0.87, last_sharpness = 1.7;
constexpr std::uint64_t first_round_flips = 200;  // a variable
constexpr std::uint32_t satisfied = 0xffffffffu;

class ProbSat {
  /// True literals of a clause; both numbers are always asked for together.
  struct Held {
    std::uint32_t holders = 0, count = 0;
  };

 public:
  ProbSat(const MaxSat& problem, std::vector<std::uint8_t> assignment, std::uint64_t seed)
      : problem_(problem),
        random_(seed, 0, polish_purpose),
        assignment_(std::move(assignment)),
        held_(problem.clauses()),
        breaks_(problem.variables(), 0),
        places_(problem.clauses(), satisfied) {
    unsatisfied_ = problem.always_unsatisfied();
    for (std::size_t c = 0; c < problem.clauses(); ++c) {
      for (const std::uint32_t literal : problem.literals(c)) {
        if (!is_true(literal)) continue;
        ++held_[c].count;
        held_[c].holders ^= literal >> 1;
      }
      if (held_[c].count == 0) add_unsatisfied(static_cast<std::uint32_t>(c));
      if (held_[c].count == 1) breaks_[held_[c].holders] += problem.weight(c);
    }
    best_ = unsatisfied_;
    choose_scores();
  }

  bool done() const noexcept { return open_.empty(); }
  std::int64_t best() const noexcept { return best_; }

  /// The exponent of scores from now on, as a multiple of the published one.
  void sharpen(double sharpness) {
    sharpness_ = sharpness;
    for (std::size_t b = 0; b < table_.size(); ++b) table_[b] = score_of(static_cast<double>(b) * per_weight_);
  }

  void step() {
    const std::uint32_t clause = open_[random_.next_below(static_cast<std::uint32_t>(open_.size()))];
    flip(pick(problem_.literals(clause)));
    if (unsatisfied_ < best_) {
      best_ = unsatisfied_;
      trail_.clear();
      saved_ = false;
    }
  }

  /// The best assignment seen: flips since then are taken back.
  std::vector<std::uint8_t> take_best() {
    if (saved_) return std::move(saved_best_);
    undo_trail(assignment_);
    return std::move(assignment_);
  }

 private:
  bool is_true(std::uint32_t literal) const noexcept { return (literal & 1u) == assignment_[literal >> 1]; }

  void choose_scores() {
    const double length = problem_.clauses() == 0 ? 0
                                                  : static_cast<double>(problem_.literal_starts()[problem_.clauses()]) /
                                                        static_cast<double>(problem_.clauses());
    base_ = length <= 3.5 ? 0 : length <= 4.5 ? 2.5 : length <= 5.5 ? 3.7 : 5.4;
    const double mean = problem_.clauses() == 0
                            ? 1
                            : static_cast<double>(problem_.total_weight()) / static_cast<double>(problem_.clauses());
    per_weight_ = 1 / std::max(mean, 1e-300);
    sharpen(1);
  }
  double score_of(double b) const {
    return base_ == 0 ? std::pow(0.9 + b, -2.06 * sharpness_) : std::pow(base_, -b * sharpness_);
  }
  double score(std::int64_t broken) const {
    const auto index = static_cast<std::size_t>(broken);
    return index < table_.size() ? table_[index] : score_of(static_cast<double>(broken) * per_weight_);
  }

  std::uint32_t pick(std::span<const std::uint32_t> literals) {
    double total = 0;
    for (const std::uint32_t literal : literals) total += score(breaks_[literal >> 1]);
    double rest = random_.next_uniform() * total;
    for (const std::uint32_t literal : literals) {
      rest -= score(breaks_[literal >> 1]);
      if (rest < 0) return literal >> 1;
    }
    return literals.back() >> 1;
  }

  void flip(std::uint32_t variable) {
    const std::uint32_t inverted = assignment_[variable] != 0 ? 0u : 1u;
    assignment_[variable] ^= 1u;
    for (const std::uint32_t entry : problem_.occurrences(variable)) {
      const std::uint32_t clause = entry >> 1;
      const std::int64_t weight = problem_.weight(clause);
      const bool was_true = ((entry & 1u) ^ inverted) != 0;
      Held& held = held_[clause];
      const std::uint32_t before = held.count;
      if (was_true) {
        held.count = before - 1;
        held.holders ^= variable;
        if (before == 1) {
          breaks_[variable] -= weight;
          add_unsatisfied(clause);
        } else if (before == 2) {
          breaks_[held.holders] += weight;
        }
      } else {
        if (before == 1) breaks_[held.holders] -= weight;
        held.count = before + 1;
        held.holders ^= variable;
        if (before == 0) {
          breaks_[variable] += weight;
          remove_unsatisfied(clause);
        }
      }
    }
    if (saved_) return;
    trail_.push_back(variable);
    if (trail_.size() > std::max<std::size_t>(1024, assignment_.size())) {
      // A copy of the best is shorter than the way back to it.
      saved_best_ = assignment_;
      undo_trail(saved_best_);
      trail_.clear();
      saved_ = true;
    }
  }

  void undo_trail(std::vector<std::uint8_t>& assignment) const {
    for (const std::uint32_t variable : trail_) assignment[variable] ^= 1u;
  }

  void add_unsatisfied(std::uint32_t clause) {
    unsatisfied_ += problem_.weight(clause);
    places_[clause] = static_cast<std::uint32_t>(open_.size());
    open_.push_back(clause);
  }
  void remove_unsatisfied(std::uint32_t clause) {
    unsatisfied_ -= problem_.weight(clause);
    const std::uint32_t last = open_.back();
    open_[places_[clause]] = last;
    places_[last] = places_[clause];
    places_[clause] = satisfied;
    open_.pop_back();
  }

  const MaxSat& problem_;
  PhiloxStream random_;
  std::vector<std::uint8_t> assignment_;
  LargeVector<Held> held_;
  LargeVector<std::int64_t> breaks_;
  LargeVector<std::uint32_t> places_;  // of a clause in `open_`
  std::vector<std::uint32_t> open_;
  std::int64_t unsatisfied_ = 0;
  std::int64_t best_ = 0;
  std::vector<std::uint32_t> trail_;  // flips since the best
  std::vector<std::uint8_t> saved_best_;
  bool saved_ = false;
  double base_ = 0;
  double per_weight_ = 1;
  double sharpness_ = 1;
  std::array<double, 64> table_{};
};

}  // namespace

PolishResult polish(const MaxSat& problem, std::vector<std::uint8_t> assignment, const PolishOptions& options,
                    RunControl& control) {
  PolishResult result;
  ProbSat search(problem, std::move(assignment), options.seed);
  std::uint64_t round_begin = 0, round = std::max<std::uint64_t>(first_round_flips * problem.variables(), 1);
  round = std::min(round, options.max_flips);
  while (!search.done() && result.flips < options.max_flips) {
    if (result.flips % flips_per_poll == 0) {
      result.stopped = control.stop_reason();
      if (result.stopped != StopReason::none) break;
      if (control.wants_progress()) {
        Progress progress;
        progress.phase = "polish";
        progress.iterations = result.flips;
        progress.objective = problem.loss(search.best());
        control.report(progress);
      }
      if (options.annealed) {
        if (result.flips - round_begin >= round) {
          round_begin += round;
          round *= 2;
        }
        const double passed = static_cast<double>(result.flips - round_begin) / static_cast<double>(round);
        search.sharpen(first_sharpness + passed * (last_sharpness - first_sharpness));
      }
    }
    search.step();
    ++result.flips;
  }
  result.assignment = search.take_best();
  result.unsatisfied = problem.always_unsatisfied();
  result.unsatisfied_clauses = 0;
  for (std::size_t c = 0; c < problem.clauses(); ++c) {
    const auto literals = problem.literals(c);
    const bool any = std::any_of(literals.begin(), literals.end(), [&](std::uint32_t literal) {
      return (literal & 1u) == result.assignment[literal >> 1];
    });
    if (any) continue;
    result.unsatisfied += problem.weight(c);
    ++result.unsatisfied_clauses;
  }
  return result;
}

}  // namespace dd::polystep
