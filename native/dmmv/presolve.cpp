// Finds equal and irrelevant rows. Rows are compared after division by their first entry, exactly: rows that are equal
// only up to rounding are different rows.
#include "dmmv/presolve.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <unordered_map>

namespace dd::dmmv {
namespace {

struct RowFacts {
  double first = 0;                ///< first entry that is not zero
  std::uint64_t hash = 0;          ///< of columns and entries over `first`
  std::size_t entries = 0;         ///< that are not zero
  double least = 0, most = 0;      ///< activity over the boxes
  double magnitude = 0;            ///< sum of absolute terms, for the rounding allowance
  std::size_t representative = 0;  ///< the earlier row this one is a multiple of, or itself
};

std::uint64_t mix(std::uint64_t hash, std::uint64_t word) noexcept {
  hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
  return hash ^ (hash >> 29);
}

std::vector<RowFacts> gather(const Problem& problem) {
  std::vector<RowFacts> facts(problem.rows());
  const LevelSets& levels = problem.levels();
  for (std::size_t j = 0; j < problem.variables(); ++j) {
    const double low = levels.minimum(j), high = levels.maximum(j);
    problem.matrix().for_each(j, [&](std::size_t i, double entry) {
      if (entry == 0) return;
      RowFacts& row = facts[i];
      if (row.first == 0) row.first = entry;
      ++row.entries;
      row.hash = mix(mix(row.hash, j), std::bit_cast<std::uint64_t>(entry / row.first));
      row.least += std::min(entry * low, entry * high);
      row.most += std::max(entry * low, entry * high);
      row.magnitude += std::abs(entry) * std::max(std::abs(low), std::abs(high));
    });
  }
  return facts;
}

/// Sets `representative`: candidates by hash, then compared entry by entry.
void find_multiples(const Problem& problem, std::vector<RowFacts>& facts) {
  std::unordered_map<std::uint64_t, std::size_t> first_of;
  bool any = false;
  for (std::size_t i = 0; i < facts.size(); ++i) {
    facts[i].representative = facts[i].first == 0 ? i : first_of.emplace(facts[i].hash, i).first->second;
    any = any || facts[i].representative != i;
  }
  if (!any) return;
  // A column at a time: entries over `first`, by row. A row whose entries all meet an equal one of the representative
  // and that has as many is its multiple.
  std::vector<double> scaled(facts.size(), 0.0);
  std::vector<std::size_t> touched, different;
  for (std::size_t j = 0; j < problem.variables(); ++j) {
    touched.clear();
    problem.matrix().for_each(j, [&](std::size_t i, double entry) {
      if (entry == 0) return;
      scaled[i] = entry / facts[i].first;
      touched.push_back(i);
    });
    for (const std::size_t i : touched) {
      if (scaled[facts[i].representative] != scaled[i]) different.push_back(i);
    }
    for (const std::size_t i : touched) scaled[i] = 0;
  }
  for (std::size_t i = 0; i < facts.size(); ++i) {
    if (facts[i].entries != facts[facts[i].representative].entries) different.push_back(i);
  }
  for (const std::size_t i : different) facts[i].representative = i;
}

/// Bounds of a row over its first entry: what rows that are multiples of each other have in common.
struct Interval {
  double lower, upper;
};
Interval scaled_interval(double lower, double upper, double first) noexcept {
  return first > 0 ? Interval{lower / first, upper / first} : Interval{upper / first, lower / first};
}

}  // namespace

Presolved presolve(const Problem& problem, double threshold) {
  Presolved result;
  result.original_ = &problem;
  std::vector<RowFacts> facts = gather(problem);
  find_multiples(problem, facts);

  const std::size_t rows = problem.rows();
  double certain = threshold;
  std::vector<double> largest(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    const RowFacts& row = facts[i];
    const double l = problem.lower()[i], u = problem.upper()[i], weight = problem.weights()[i];
    const double allowance = 1e-12 * weight * row.magnitude;
    largest[i] = weight * std::max(row.most - u, l - row.least) + allowance;
    const double outside = std::max(row.least - u, l - row.most);
    // Inside a two-sided interval no row is slacker than in its middle.
    certain = std::max(certain, weight * std::max(outside, (l - u) / 2) - allowance);
  }

  std::vector<Interval> intervals(rows);
  std::vector<Presolved::Row> sides(rows);
  std::vector<bool> kept(rows, false);
  for (std::size_t i = 0; i < rows; ++i) {
    if (largest[i] < certain) continue;
    const std::size_t r = facts[i].representative;
    const Interval own = facts[i].first == 0 ? Interval{problem.lower()[i], problem.upper()[i]}
                                             : scaled_interval(problem.lower()[i], problem.upper()[i], facts[i].first);
    const bool same_weight =
        problem.weights()[i] * std::abs(facts[i].first) == problem.weights()[r] * std::abs(facts[r].first);
    if (r != i && kept[r] && same_weight) {
      const Interval both{std::max(intervals[r].lower, own.lower), std::min(intervals[r].upper, own.upper)};
      if (both.lower <= both.upper) {
        const double sign = (facts[i].first > 0) == (facts[r].first > 0) ? 1 : -1;
        // `lower` and `upper` of the representative swap where its first entry is negative.
        const bool upright = facts[r].first > 0;
        if (own.lower > intervals[r].lower) (upright ? sides[r].lower : sides[r].upper) = {i, sign};
        if (own.upper < intervals[r].upper) (upright ? sides[r].upper : sides[r].lower) = {i, sign};
        intervals[r] = both;
        continue;
      }
    }
    kept[i] = true;
    intervals[i] = own;
    sides[i] = {{i, 1}, {i, 1}};
  }

  std::vector<std::size_t> rows_kept;
  std::vector<double> lower, upper;
  const auto bound = [&](std::size_t i, const Presolved::Side& side, std::span<const double> same, bool is_lower) {
    if (side.row == i) return same[i];
    return (is_lower == (facts[i].first > 0) ? intervals[i].lower : intervals[i].upper) * facts[i].first;
  };
  for (std::size_t i = 0; i < rows; ++i) {
    if (!kept[i]) continue;
    rows_kept.push_back(i);
    result.rows_.push_back(sides[i]);
    lower.push_back(bound(i, sides[i].lower, problem.lower(), true));
    upper.push_back(bound(i, sides[i].upper, problem.upper(), false));
    // Two roundings may cross where the intersection is a point.
    if (lower.back() > upper.back()) lower.back() = upper.back();
  }
  if (rows_kept.size() < rows && !rows_kept.empty()) {
    result.reduced_ = problem.with_rows(rows_kept, std::move(lower), std::move(upper));
  }
  return result;
}

std::vector<double> Presolved::original_multipliers(std::span<const double> multipliers) const {
  if (!reduced_ || multipliers.empty()) return {multipliers.begin(), multipliers.end()};
  std::vector<double> result(original_->rows(), 0.0);
  for (std::size_t k = 0; k < rows_.size(); ++k) {
    const Side& side = multipliers[k] > 0 ? rows_[k].upper : rows_[k].lower;
    result[side.row] += side.sign * multipliers[k];
  }
  return result;
}

}  // namespace dd::dmmv
