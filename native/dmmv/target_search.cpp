// The walk itself: choose by kernel K2, learn weights at local minima, step, keep the best.
#include "dmmv/target_search.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/function_ref.hpp"
#include "core/infinity.hpp"
#include "dmmv/clearly_less.hpp"
#include "dmmv/dictionary_penalty.hpp"
#include "dmmv/walk_step.hpp"

namespace dd::dmmv {
namespace {

constexpr float infinity_single = std::numeric_limits<float>::infinity();
constexpr std::uint64_t steps_between_sums = 1024;
constexpr std::uint64_t poll_entries = 1'000'000;  // some 0.2 ms of kernel K2

}  // namespace

bool is_better(const SearchRows& rows, double feasible, double objective, double soft,
               const SearchBest& than) noexcept {
  if (rows.soft_multipliers.empty()) return clearly_less(objective, than.objective);
  const bool this_feasible = objective <= feasible;
  const bool other_feasible = than.objective <= feasible;
  if (this_feasible != other_feasible) return this_feasible;
  return this_feasible ? clearly_less(soft, than.soft) : clearly_less(objective, than.objective);
}

TargetSearch::TargetSearch(const Problem& problem, const SearchRows& rows, const MoveDictionary& moves,
                           const TargetSearchParameters& parameters, std::uint64_t seed, std::uint32_t stream)
    : problem_(problem),
      rows_(rows),
      moves_(&moves),
      parameters_(parameters),
      random_(seed, stream),
      counts_(problem.variables()),
      residual_(rows.stride, 0.0),
      omega_(rows.stride, 0.0),
      single_residual_(rows.stride, 0.0f),
      single_omega_(rows.stride, 0.0f),
      penalties_(2 * moves.pairs, 0.0f),
      barred_until_(2 * moves.pairs, 0) {
  for (std::size_t j = 0; j < counts_.size(); ++j) counts_[j] = problem.levels().count(j);
  if (!rows.pure) {
    upper_ = AlignedBuffer<double>(rows.stride, 0.0);
    lower_ = AlignedBuffer<double>(rows.stride, 0.0);
    single_upper_ = AlignedBuffer<float>(rows.stride, 0.0f);
    single_lower_ = AlignedBuffer<float>(rows.stride, 0.0f);
  }
  if (moves.follows_levels) {
    own_moves_.pairs = moves.pairs;
    own_moves_.follows_levels = true;
    own_moves_.effects = AlignedBuffer<double>(moves.pairs * rows.stride, 0.0);
    own_moves_.single_effects = AlignedBuffer<float>(moves.pairs * rows.stride, 0.0f);
    own_moves_.starts = moves.starts;
    own_moves_.variables = moves.variables;
    own_moves_.amounts = moves.amounts;
    moves_ = &own_moves_;
    first_pair_of_.assign(problem.variables(), 0);
    for (std::size_t p = 0; p < moves.pairs; p += 2) first_pair_of_[static_cast<std::size_t>(moves.variables[p])] = p;
  }
  poll_every_ = std::clamp<std::uint64_t>(poll_entries / std::max<std::size_t>(1, moves.pairs * rows.stride), 1, 64);
}

void TargetSearch::set_target() {
  if (!rows_.soft_multipliers.empty()) {
    target_ = parameters_.feasible;
  } else {
    const double value = best_.objective;
    target_ = value > 0 ? value * (1 - parameters_.eta) : value - parameters_.eta * spread_;
  }
  refresh_thresholds();
}

void TargetSearch::refresh_thresholds() {
  if (rows_.pure) return;
  for (std::size_t i = 0; i < rows_.hard; ++i) {
    upper_[i] = rows_.upper[i] + target_;
    lower_[i] = -(rows_.lower[i] + target_);
  }
  for (std::size_t i = rows_.hard; i < rows_.count; ++i) {
    upper_[i] = rows_.upper[i];
    lower_[i] = -rows_.lower[i];
  }
  for (std::size_t i = 0; i < rows_.stride; ++i) {
    single_upper_[i] = static_cast<float>(upper_[i]);
    single_lower_[i] = static_cast<float>(lower_[i]);
  }
}

/// Penalty of the present residual; sets violation_ and soft_.
double TargetSearch::penalty_and_violation() {
  violation_ = -infinity;
  soft_ = 0;
  double sum = 0;
  for (std::size_t i = 0; i < rows_.count; ++i) {
    const double z = residual_[i];
    const double violation = rows_.pure ? std::abs(z) : std::max(z - rows_.upper[i], -z - rows_.lower[i]);
    if (i < rows_.hard) {
      violation_ = std::max(violation_, violation);
      sum += omega_[i] * std::max(violation - target_, 0.0);
    } else {
      const double amount = rows_.soft_multipliers[i - rows_.hard] * std::max(violation, 0.0);
      soft_ += amount;
      sum += omega_[i] * std::max(violation, 0.0);
    }
  }
  return sum;
}

void TargetSearch::recompute() { search_residual(problem_, rows_, indices_, residual_.span()); }

void TargetSearch::follow_level(std::size_t j) {
  const LevelSets& levels = problem_.levels();
  const std::size_t p = first_pair_of_[j];
  double* up = own_moves_.effects.data() + p * rows_.stride;
  double* down = up + rows_.stride;
  search_column(problem_, rows_, j, {down, rows_.stride});
  const std::int32_t q = indices_[j];
  const double rise = q + 1 < counts_[j] ? levels.value(j, q + 1) - levels.value(j, q) : 0.0;
  const double fall = q > 0 ? levels.value(j, q) - levels.value(j, q - 1) : 0.0;
  for (std::size_t i = 0; i < rows_.stride; ++i) {
    up[i] = rise * down[i];
    down[i] *= fall;
  }
  float* single = own_moves_.single_effects.data() + p * rows_.stride;
  for (std::size_t i = 0; i < 2 * rows_.stride; ++i) single[i] = static_cast<float>(up[i]);
}

void TargetSearch::start(std::span<const std::int32_t> indices) {
  indices_.assign(indices.begin(), indices.end());
  recompute();
  if (moves_->follows_levels) {
    for (std::size_t p = 0; p < own_moves_.pairs; p += 2)
      follow_level(static_cast<std::size_t>(own_moves_.variables[p]));
  }
  std::vector<double> sizes(rows_.hard);
  for (std::size_t i = 0; i < rows_.hard; ++i) sizes[i] = std::abs(residual_[i]);
  std::nth_element(sizes.begin(), sizes.begin() + static_cast<std::ptrdiff_t>(sizes.size() / 2), sizes.end());
  spread_ = std::max(sizes[sizes.size() / 2], std::numeric_limits<double>::min());
  std::fill(omega_.begin(), omega_.end(), 0.0);
  std::fill(omega_.begin(), omega_.begin() + rows_.hard, 1.0);
  // Soft rows keep a constant share: their multiplier in units of a fresh hard row.
  std::copy(rows_.soft_multipliers.begin(), rows_.soft_multipliers.end(), omega_.begin() + rows_.hard);
  increment_ = 1;
  penalty_and_violation();
  walk_best_ = {indices_, violation_, soft_};
  since_ = 0;
  std::fill(barred_until_.begin(), barred_until_.end(), 0);
  if (squares(rows_, residual_.span()) <= parameters_.square_limit &&
      is_better(rows_, parameters_.feasible, violation_, soft_, best_)) {
    best_ = {indices_, violation_, soft_};
  }
  set_target();
  penalty_ = penalty_and_violation();
}

void TargetSearch::tell(double objective) {
  if (!rows_.soft_multipliers.empty() || !(objective < best_.objective)) return;
  best_.objective = objective;
  best_.indices.clear();
  if (!indices_.empty()) {
    set_target();
    penalty_ = penalty_and_violation();
  }
}

bool TargetSearch::in_range(std::size_t move) const noexcept {
  const std::size_t p = move / 2;
  const int sign = move % 2 == 0 ? 1 : -1;
  if (moves_->follows_levels && (move % 2 == 0) != (p % 2 == 0)) return false;  // up pairs only up, down pairs down
  for (std::size_t k = moves_->starts[p]; k < moves_->starts[p + 1]; ++k) {
    const auto j = static_cast<std::size_t>(moves_->variables[k]);
    const std::int32_t index = indices_[j] + sign * moves_->amounts[k];
    if (index < 0 || index >= counts_[j]) return false;
  }
  return true;
}

void TargetSearch::apply(std::size_t move, bool learn) {
  const std::size_t p = move / 2;
  const int sign = move % 2 == 0 ? 1 : -1;
  WalkStep<double> step{};
  step.effect = moves_->effects.data() + p * rows_.stride;
  step.residual = residual_.data();
  step.weight = omega_.data();
  step.upper = rows_.pure ? nullptr : upper_.data();
  step.lower = rows_.pure ? nullptr : lower_.data();
  step.rows = rows_.soft_multipliers.empty() ? rows_.stride : rows_.hard;
  step.target = target_;
  step.sign = sign;
  step.increment = learn ? increment_ : 0.0;
  walk_step_float64(&step);
  violation_ = step.largest + target_;
  penalty_ = step.penalty;
  if (!rows_.soft_multipliers.empty()) {
    soft_ = 0;
    for (std::size_t i = rows_.hard; i < rows_.count; ++i) {
      residual_[i] += sign * step.effect[i];
      const double excess = std::max({residual_[i] - upper_[i], lower_[i] - residual_[i], 0.0});
      soft_ += rows_.soft_multipliers[i - rows_.hard] * excess;
      penalty_ += omega_[i] * excess;
    }
  }
  for (std::size_t k = moves_->starts[p]; k < moves_->starts[p + 1]; ++k) {
    indices_[static_cast<std::size_t>(moves_->variables[k])] += sign * moves_->amounts[k];
  }
  if (moves_->follows_levels) follow_level(static_cast<std::size_t>(moves_->variables[moves_->starts[p]]));
  if (++applied_ % steps_between_sums == 0) {
    recompute();
    penalty_ = penalty_and_violation();
  }
}

/// Whether the sum of squared residuals allows a move.
bool TargetSearch::is_within_squares(std::size_t move) const noexcept {
  if (parameters_.square_limit == infinity) return true;
  const double* effect = moves_->effects.data() + move / 2 * rows_.stride;
  const double sign = move % 2 == 0 ? 1 : -1;
  double before = 0, after = 0;
  for (std::size_t i = 0; i < rows_.hard; ++i) {
    const double moved = residual_[i] + sign * effect[i];
    before += residual_[i] * residual_[i];
    after += moved * moved;
  }
  return after <= parameters_.square_limit || after < before;
}

void TargetSearch::record() {
  // Drift must not invent a record: the value counts after recomputation only.
  recompute();
  penalty_ = penalty_and_violation();
  if (squares(rows_, residual_.span()) > parameters_.square_limit) return;
  if (is_better(rows_, parameters_.feasible, violation_, soft_, walk_best_)) {
    walk_best_ = {indices_, violation_, soft_};
    since_ = 0;
  }
  if (!is_better(rows_, parameters_.feasible, violation_, soft_, best_)) return;
  const bool clean = penalty_ == 0;
  best_ = {indices_, violation_, soft_};
  if (clean && rows_.soft_multipliers.empty()) {
    std::fill(omega_.begin(), omega_.begin() + rows_.hard, 1.0);
    increment_ = 1;
  }
  set_target();
  penalty_ = penalty_and_violation();
}

void TargetSearch::round_to_single() noexcept {
  const double scale = 1 / increment_;
  for (std::size_t i = 0; i < rows_.stride; ++i) {
    single_residual_[i] = static_cast<float>(residual_[i]);
    // Forgotten rows must not become denormal numbers, which are slow; padding stays at zero.
    const double weight = omega_[i] * scale;
    single_omega_[i] = static_cast<float>(weight > 1e-18 ? weight : weight > 0 ? 1e-18 : 0.0);
  }
}

void TargetSearch::run(std::uint64_t steps, double target, FunctionRef<bool()> should_stop) {
  if (moves_->pairs == 0) return;
  DictionaryPenalty<float> arguments{};
  arguments.moves = moves_->single_effects.data();
  arguments.residual = single_residual_.data();
  arguments.weight = single_omega_.data();
  arguments.upper = rows_.pure ? nullptr : single_upper_.data();
  arguments.lower = rows_.pure ? nullptr : single_lower_.data();
  arguments.out = penalties_.data();
  arguments.rows = rows_.stride;
  arguments.stride = rows_.stride;
  arguments.pairs = moves_->pairs;
  const auto moves = static_cast<std::uint32_t>(2 * moves_->pairs);
  const double decay_inverse = 1 / parameters_.decay;
  for (std::uint64_t k = 0; k < steps; ++k) {
    if (k % poll_every_ == 0 && should_stop()) return;
    if (rows_.soft_multipliers.empty() && best_.objective <= target) return;
    ++steps_;
    ++since_;
    round_to_single();
    arguments.target = static_cast<float>(target_);
    dictionary_penalty_float32(&arguments);
    // Ties are rare and go to the first one after a random place.
    const std::uint32_t offset = random_.next_below(moves);
    std::uint32_t chosen = moves;
    float least = infinity_single;
    const auto scan = [&](std::uint32_t begin, std::uint32_t end) {
      for (std::uint32_t move = begin; move < end; ++move) {
        if (penalties_[move] < least && barred_until_[move] < steps_ && in_range(move)) {
          least = penalties_[move];
          chosen = move;
        }
      }
    };
    scan(offset, moves);
    scan(0, offset);
    while (chosen != moves && !is_within_squares(chosen)) {
      penalties_[chosen] = infinity_single;
      chosen = moves;
      least = infinity_single;
      scan(offset, moves);
      scan(0, offset);
    }
    if (chosen == moves) continue;  // everything barred: time passes
    const bool local_minimum = static_cast<double>(least) * increment_ >= penalty_ * (1 - 1e-6);
    barred_until_[chosen ^ 1u] =
        steps_ + parameters_.tabu + (parameters_.tabu > 0 ? random_.next_below(parameters_.tabu + 1) : 0);
    apply(chosen, local_minimum);
    if (local_minimum) {
      // Forgetting = letting later increments grow.
      increment_ *= decay_inverse;
      if (increment_ > 1e100) {
        for (std::size_t i = 0; i < rows_.hard; ++i) omega_[i] = std::max(omega_[i] / increment_, 1e-100);
        for (std::size_t i = rows_.hard; i < rows_.count; ++i) omega_[i] = rows_.soft_multipliers[i - rows_.hard];
        increment_ = 1;
        penalty_ = penalty_and_violation();
      }
    }
    if (is_better(rows_, parameters_.feasible, violation_, soft_, walk_best_)) record();
  }
}

}  // namespace dd::dmmv
