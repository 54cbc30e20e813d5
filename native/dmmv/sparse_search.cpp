// The walk: a violated row, the best change of its columns by kernel K5, weights that learn at local minima. Once every
// hard row keeps its target, violated soft rows are worked on. Where there are soft rows, changes for the worse are
// accepted by a temperature.
#include "dmmv/sparse_search.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/infinity.hpp"
#include "dmmv/sparse_flip.hpp"

namespace dd::dmmv {
namespace {

constexpr std::uint64_t changes_between_sums = 1u << 16;
constexpr std::size_t most_candidates = 48;
constexpr std::uint32_t nowhere = ~std::uint32_t{0};

}  // namespace

SparseSearch::SparseSearch(const Problem& problem, const SearchRows& rows, const SparseRows& sparse,
                           const SparseSearchParameters& parameters, std::uint64_t seed, std::uint32_t stream)
    : problem_(problem),
      rows_(rows),
      sparse_(sparse),
      parameters_(parameters),
      random_(seed, stream, 3),
      residual_(rows.count),
      weight_(rows.count),
      upper_(rows.count),
      lower_(rows.count),
      violations_(rows.hard),
      place_(rows.count, nowhere),
      barred_until_(problem.variables(), 0),
      barred_index_(problem.variables(), 0) {
  const LevelSets& levels = problem.levels();
  double sum = 0;
  std::size_t free = 0;
  for (std::size_t j = 0; j < problem.variables(); ++j) {
    if (levels.count(j) < 2) continue;
    sum += (levels.maximum(j) - levels.minimum(j)) / (levels.count(j) - 1);
    ++free;
  }
  double multipliers = 0;
  for (const double multiplier : rows.soft_multipliers) multipliers += multiplier;
  if (free > 0 && !rows.soft_multipliers.empty()) {
    unit_ = sum / static_cast<double>(free) * multipliers / static_cast<double>(rows.soft_multipliers.size());
  }
}

double SparseSearch::excess(std::size_t row) const noexcept {
  return std::max({residual_[row] - upper_[row], lower_[row] - residual_[row], 0.0});
}

/// Keeps the lists of violated rows.
void SparseSearch::mark(std::size_t row) {
  std::vector<std::uint32_t>& list = violated_[row < rows_.hard ? 0 : 1];
  const bool above = excess(row) > 0;
  if (above == (place_[row] != nowhere)) return;
  if (above) {
    place_[row] = static_cast<std::uint32_t>(list.size());
    list.push_back(static_cast<std::uint32_t>(row));
    return;
  }
  const std::uint32_t last = list.back();
  list[place_[row]] = last;
  place_[last] = place_[row];
  place_[row] = nowhere;
  list.pop_back();
}

void SparseSearch::set_target() {
  if (!rows_.soft_multipliers.empty()) {
    target_ = parameters_.feasible;
  } else {
    const double value = best_.objective;
    target_ = value > 0 ? value * (1 - parameters_.eta) : value - parameters_.eta * spread_;
  }
  for (std::size_t i = 0; i < rows_.count; ++i) {
    const double margin = i < rows_.hard ? target_ : 0.0;
    upper_[i] = (rows_.pure ? 0.0 : rows_.upper[i]) + margin;
    lower_[i] = -((rows_.pure ? 0.0 : rows_.lower[i]) + margin);
    mark(i);
  }
}

void SparseSearch::recompute() {
  search_residual(problem_, rows_, indices_, residual_);
  std::vector<double> violations(rows_.hard);
  for (std::size_t i = 0; i < rows_.hard; ++i) {
    const double z = residual_[i];
    violations[i] = rows_.pure ? std::abs(z) : std::max(z - rows_.upper[i], -z - rows_.lower[i]);
  }
  violations_.set_all(violations);
  soft_ = 0;
  for (std::size_t i = rows_.hard; i < rows_.count; ++i) {
    const double z = residual_[i];
    soft_ += rows_.soft_multipliers[i - rows_.hard] * std::max({z - rows_.upper[i], -z - rows_.lower[i], 0.0});
  }
}

void SparseSearch::start(std::span<const std::int32_t> indices) {
  keep_best();
  indices_.assign(indices.begin(), indices.end());
  recompute();
  std::vector<double> sizes(rows_.hard);
  for (std::size_t i = 0; i < rows_.hard; ++i) sizes[i] = std::abs(residual_[i]);
  std::nth_element(sizes.begin(), sizes.begin() + static_cast<std::ptrdiff_t>(sizes.size() / 2), sizes.end());
  spread_ = std::max(sizes[sizes.size() / 2], std::numeric_limits<double>::min());
  std::fill(weight_.begin(), weight_.begin() + static_cast<std::ptrdiff_t>(rows_.hard), 1.0);
  std::copy(rows_.soft_multipliers.begin(), rows_.soft_multipliers.end(),
            weight_.begin() + static_cast<std::ptrdiff_t>(rows_.hard));
  increment_ = 1;
  since_ = 0;
  std::fill(barred_until_.begin(), barred_until_.end(), 0);
  note_best();
  set_target();
}

void SparseSearch::tell(double objective) {
  if (!rows_.soft_multipliers.empty() || !(objective < best_.objective)) return;
  best_ = {{}, objective, infinity};
  best_is_behind_ = false;
  if (!indices_.empty()) set_target();
}

/// What a copy of all indices at every new best would cost is put off: the way back is short.
void SparseSearch::note_best() {
  if (!is_better(rows_, parameters_.feasible, violations_.largest(), soft_, best_)) return;
  best_.objective = violations_.largest();
  best_.soft = soft_;
  best_is_behind_ = true;
  journal_.clear();
  since_ = 0;
}

void SparseSearch::keep_best() {
  if (!best_is_behind_) return;
  best_.indices = indices_;
  for (std::size_t k = journal_.size(); k-- > 0;) {
    best_.indices[static_cast<std::size_t>(journal_[k].variable)] = journal_[k].index;
  }
  best_is_behind_ = false;
  journal_.clear();
}

/// Changes of one level that bring a row nearer to its interval; of a long row a window that starts anywhere.
void SparseSearch::gather(std::size_t row) {
  candidate_columns_.clear();
  candidate_indices_.clear();
  candidate_steps_.clear();
  const LevelSets& levels = problem_.levels();
  const std::span<const std::int32_t> columns = sparse_.columns_of(row);
  if (columns.empty()) return;
  const auto first = static_cast<std::size_t>(sparse_.row_pointers[row]);
  const bool must_fall = residual_[row] > upper_[row];
  const auto size = static_cast<std::uint32_t>(columns.size());
  std::size_t k = columns.size() > most_candidates ? random_.next_below(size) : 0;
  for (std::size_t seen = 0; seen < columns.size() && candidate_columns_.size() < most_candidates; ++seen) {
    const auto j = static_cast<std::size_t>(columns[k]);
    const bool up = (sparse_.row_values[first + k] > 0) != must_fall;
    const std::int32_t index = indices_[j] + (up ? 1 : -1);
    if (index >= 0 && index < levels.count(j)) {
      candidate_columns_.push_back(columns[k]);
      candidate_indices_.push_back(index);
      candidate_steps_.push_back(levels.value(j, index) - levels.value(j, indices_[j]));
    }
    k = k + 1 == columns.size() ? 0 : k + 1;
  }
}

SparseSearch::Change SparseSearch::choose(double& change, bool soft) {
  const std::size_t count = candidate_columns_.size();
  candidate_values_.resize(count);
  const SparseFlip arguments{sparse_.pointers.data(),
                             sparse_.rows.data(),
                             sparse_.values.data(),
                             residual_.data(),
                             weight_.data(),
                             upper_.data(),
                             lower_.data(),
                             candidate_columns_.data(),
                             candidate_steps_.data(),
                             candidate_values_.data(),
                             count};
  sparse_flip_float64(&arguments);
  evaluations_ += count;
  std::size_t chosen = count;
  change = infinity;
  for (std::size_t c = 0; c < count; ++c) {
    const auto j = static_cast<std::size_t>(candidate_columns_[c]);
    // A soft row has few columns: barring them would bar everything.
    if (!soft && barred_until_[j] >= steps_ && barred_index_[j] == candidate_indices_[c]) continue;
    if (candidate_values_[c] < change) {
      change = candidate_values_[c];
      chosen = c;
    }
  }
  if (chosen == count) return {};
  return {candidate_columns_[chosen], candidate_indices_[chosen]};
}

void SparseSearch::apply(Change change) {
  const auto j = static_cast<std::size_t>(change.variable);
  const double step = problem_.levels().value(j, change.index) - problem_.levels().value(j, indices_[j]);
  if (best_is_behind_) {
    journal_.push_back({change.variable, indices_[j]});
    if (journal_.size() > indices_.size()) keep_best();
  }
  barred_index_[j] = indices_[j];
  barred_until_[j] = steps_ + parameters_.tabu + (parameters_.tabu > 0 ? random_.next_below(parameters_.tabu + 1) : 0);
  indices_[j] = change.index;
  for (auto k = static_cast<std::size_t>(sparse_.pointers[j]); k < static_cast<std::size_t>(sparse_.pointers[j + 1]);
       ++k) {
    const auto i = static_cast<std::size_t>(sparse_.rows[k]);
    if (i < rows_.hard) {
      residual_[i] += step * sparse_.values[k];
      const double z = residual_[i];
      violations_.set(i, rows_.pure ? std::abs(z) : std::max(z - rows_.upper[i], -z - rows_.lower[i]));
    } else {
      soft_ -= rows_.soft_multipliers[i - rows_.hard] * excess(i);
      residual_[i] += step * sparse_.values[k];
      soft_ += rows_.soft_multipliers[i - rows_.hard] * excess(i);
    }
    mark(i);
  }
  if (++applied_ % changes_between_sums == 0) {
    recompute();
    set_target();
  }
}

/// A local minimum: violated rows gain weight.
void SparseSearch::learn() {
  if (!rows_.soft_multipliers.empty()) {
    // An average of how often a row was violated, at most one: soft rows keep their share beside it.
    for (std::size_t i = 0; i < rows_.hard; ++i) weight_[i] *= parameters_.decay;
    for (const std::uint32_t row : violated_[0]) weight_[row] += 1 - parameters_.decay;
    return;
  }
  // Forgetting lets later gains grow.
  for (const std::uint32_t row : violated_[0]) weight_[row] += increment_;
  increment_ /= parameters_.decay;
  if (increment_ < 1e100) return;
  for (std::size_t i = 0; i < rows_.hard; ++i) weight_[i] = std::max(weight_[i] / increment_, 1e-100);
  increment_ = 1;
}

double SparseSearch::temperature() const noexcept {
  const auto within = static_cast<double>(steps_ % parameters_.cycle) / static_cast<double>(parameters_.cycle);
  return parameters_.heat * unit_ * std::pow(0.05, within);
}

void SparseSearch::run(std::uint64_t steps, double target, FunctionRef<bool()> should_stop) {
  const bool soft_rows = !rows_.soft_multipliers.empty();
  for (std::uint64_t k = 0; k < steps; ++k) {
    if (k % 64 == 0 && should_stop()) break;
    if (!soft_rows && best_.objective <= target) break;
    ++steps_;
    ++since_;
    const bool soft = violated_[0].empty();
    const std::vector<std::uint32_t>& list = violated_[soft ? 1 : 0];
    if (list.empty()) break;  // nothing is violated at all
    // The worst row decides t; any violated row keeps the walk from serving one place only.
    const bool worst = !soft && random_.next_below(2) == 0;
    const std::size_t row =
        worst ? violations_.winner() : list[random_.next_below(static_cast<std::uint32_t>(list.size()))];
    gather(row);
    double change = 0;
    const Change chosen = choose(change, soft);
    if (chosen.variable < 0) {
      if (!soft) learn();
      continue;
    }
    if (!soft && change >= 0) learn();
    // Without soft rows weights that grow turn the walk round; beside soft rows they are bounded, and it would drift.
    if (soft_rows && change > 0 && random_.next_uniform() >= std::exp(-change / temperature())) continue;
    apply(chosen);
    const bool improved = is_better(rows_, parameters_.feasible, violations_.largest(), soft_, best_);
    if (!improved) continue;
    note_best();
    if (!soft_rows) set_target();
  }
  keep_best();
}

}  // namespace dd::dmmv
