// Proposals cost one pass over the rows with a few multiplications each; powers are repeated squares.
#include "dmmv/norm_annealing.hpp"

#include <algorithm>
#include <cmath>

namespace dd::dmmv {

NormAnnealing::NormAnnealing(const Problem& problem, const SearchRows& rows, const MoveDictionary& moves,
                             const NormAnnealingParameters& parameters, std::uint64_t seed, std::uint32_t stream)
    : problem_(problem),
      rows_(rows),
      moves_(moves),
      parameters_(parameters),
      random_(seed, stream, 1),
      counts_(problem.variables()),
      residual_(rows.stride, 0.0),
      run_length_(parameters.sweeps) {
  for (std::size_t j = 0; j < counts_.size(); ++j) counts_[j] = problem.levels().count(j);
  if (rows.pure) return;
  // Violations are made positive by the largest finite half width.
  for (std::size_t i = 0; i < rows.hard; ++i) {
    for (const double offset : {rows.upper[i], rows.lower[i]}) {
      if (std::isfinite(offset)) shift_ = std::max(shift_, offset);
    }
  }
}

/// sum_i (violation_i / reference)^p of the hard rows after a move; `largest` becomes its violation.
double NormAnnealing::power_sum(const double* effect, double sign, double& largest) const noexcept {
  const double scale = 1 / reference_;
  double sum = 0, top = -std::numeric_limits<double>::infinity();
  // Blocks keep the powers of a few rows in registers through all doublings.
  constexpr std::size_t block = 16;
  double sums[block] = {};
  double tops[block];
  std::fill(tops, tops + block, top);
  for (std::size_t first = 0; first < rows_.hard; first += block) {
    const std::size_t size = std::min(block, rows_.hard - first);
    double value[block];
    for (std::size_t l = 0; l < size; ++l) {
      const double z = residual_[first + l] + sign * effect[first + l];
      value[l] = rows_.pure ? std::abs(z) : std::max(z - rows_.upper[first + l], -z - rows_.lower[first + l]);
      tops[l] = std::max(tops[l], value[l]);
      // A ratio of 1e4 to the 16th power is far from overflow; beyond it the order no longer matters.
      value[l] = std::min(std::max(value[l] + shift_, 0.0) * scale, 1e4);
    }
    for (std::uint32_t q = 0; q < doublings_; ++q) {
      for (std::size_t l = 0; l < size; ++l) value[l] *= value[l];
    }
    for (std::size_t l = 0; l < size; ++l) sums[l] += value[l];
  }
  for (std::size_t l = 0; l < block; ++l) {
    sum += sums[l];
    top = std::max(top, tops[l]);
  }
  largest = top;
  return sum;
}

void NormAnnealing::start(std::span<const std::int32_t> indices) {
  indices_.assign(indices.begin(), indices.end());
  search_residual(problem_, rows_, indices_, residual_.span());
  in_run_ = 0;
  begin_stage();
  if (is_better(rows_, 0, violation_, 0, best_)) best_ = {indices_, violation_, 0};
}

void NormAnnealing::begin_stage() {
  const double progress = static_cast<double>(in_run_) / static_cast<double>(run_length_);
  doublings_ = 1 + std::min(parameters_.doublings - 1,
                            static_cast<std::uint32_t>(progress * static_cast<double>(parameters_.doublings)));
  temperature_ = parameters_.first_temperature *
                 std::pow(parameters_.last_temperature / parameters_.first_temperature, std::min(progress, 1.0));
  reference_ = 1;
  const double* any = moves_.effects.data();
  sum_ = power_sum(any, 0.0, violation_);
  reference_ = std::max(violation_ + shift_, std::numeric_limits<double>::min());
  sum_ = power_sum(any, 0.0, violation_);
}

void NormAnnealing::restart_from_best() {
  indices_ = best_.indices;
  run_length_ = std::min(2 * run_length_, 64 * parameters_.sweeps);
  in_run_ = 0;
}

void NormAnnealing::propose() {
  const std::uint32_t word = random_.next_below(static_cast<std::uint32_t>(2 * moves_.pairs));
  const std::size_t p = word / 2;
  int sign = word % 2 == 0 ? 1 : -1;
  for (int attempt = 0;; ++attempt) {
    bool fits = true;
    for (std::size_t k = moves_.starts[p]; k < moves_.starts[p + 1] && fits; ++k) {
      const auto j = static_cast<std::size_t>(moves_.variables[k]);
      const std::int32_t index = indices_[j] + sign * moves_.amounts[k];
      fits = index >= 0 && index < counts_[j];
    }
    if (fits) break;
    if (attempt == 1) return;
    sign = -sign;
  }
  const double* effect = moves_.effects.data() + p * rows_.stride;
  double violation = 0;
  const double sum = power_sum(effect, sign, violation);
  if (sum > sum_) {
    const double exponent = static_cast<double>(std::uint32_t{1} << doublings_);
    const double change = std::log(sum / std::max(sum_, std::numeric_limits<double>::min())) / exponent;
    if (random_.next_uniform() >= std::exp(-change / temperature_)) return;
  }
  for (std::size_t i = 0; i < rows_.count; ++i) residual_[i] += sign * effect[i];
  for (std::size_t k = moves_.starts[p]; k < moves_.starts[p + 1]; ++k) {
    indices_[static_cast<std::size_t>(moves_.variables[k])] += sign * moves_.amounts[k];
  }
  sum_ = sum;
  violation_ = violation;
  if (++applied_ % 1024 == 0) {
    search_residual(problem_, rows_, indices_, residual_.span());
    begin_stage();
  }
  if (is_better(rows_, 0, violation_, 0, best_)) {
    search_residual(problem_, rows_, indices_, residual_.span());
    sum_ = power_sum(effect, 0.0, violation_);
    if (is_better(rows_, 0, violation_, 0, best_)) best_ = {indices_, violation_, 0};
  }
}

void NormAnnealing::run(std::uint64_t sweeps, double target, FunctionRef<bool()> should_stop) {
  if (moves_.pairs == 0) return;
  for (std::uint64_t k = 0; k < sweeps; ++k) {
    if (should_stop() || best_.objective <= target) return;
    if (in_run_ >= run_length_) {
      restart_from_best();
      search_residual(problem_, rows_, indices_, residual_.span());
    }
    begin_stage();
    const std::uint64_t batch = 32;  // proposals between polls
    for (std::uint64_t done = 0; done < moves_.pairs; ++done) {
      if (done % batch == batch - 1 && should_stop()) return;
      propose();
      if (best_.objective <= target) return;
    }
    ++in_run_;
    ++sweeps_;
  }
}

}  // namespace dd::dmmv
