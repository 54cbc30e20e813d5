#include "dmmv/swap_descent.hpp"

#include <algorithm>
#include <cmath>

#include "core/infinity.hpp"
#include "dmmv/clearly_less.hpp"
#include "dmmv/one_flip.hpp"
#include "dmmv/swap_table.hpp"

namespace dd::dmmv {
namespace {

constexpr std::size_t screen_rows = 100;
constexpr std::size_t firsts_a_table = 32;

}  // namespace

SwapDescent::SwapDescent(const Problem& problem, const SearchRows& rows)
    : problem_(problem), rows_(rows), free_(free_variables(problem)), residual_(rows.stride, 0.0) {
  columns_ = AlignedBuffer<double>(free_.size() * rows.stride, 0.0);
  for (std::size_t k = 0; k < free_.size(); ++k) {
    search_column(problem, rows, free_[k], {columns_.data() + k * rows.stride, rows.stride});
  }
}

double SwapDescent::violation(std::size_t row) const {
  const double z = residual_[row];
  return rows_.pure ? std::abs(z) : std::max(z - rows_.upper[row], -z - rows_.lower[row]);
}

double SwapDescent::largest_violation() const {
  double largest = -infinity;
  for (std::size_t i = 0; i < rows_.hard; ++i) largest = std::max(largest, violation(i));
  return largest;
}

double SwapDescent::level_value(std::size_t variable, std::int32_t q) const {
  const LevelSets& levels = problem_.levels();
  const std::size_t j = free_[variable];
  const double step = levels.value(j, q) - levels.value(j, indices_[j]);
  double value = 0;
  const OneFlipColumn<double> flip{columns_.data() + variable * rows_.stride,
                                   residual_.data(),
                                   rows_.pure ? nullptr : rows_.upper.data(),
                                   rows_.pure ? nullptr : rows_.lower.data(),
                                   &step,
                                   &value,
                                   rows_.hard,
                                   1};
  one_flip_float64(&flip);
  return value;
}

void SwapDescent::move(std::size_t variable, std::int32_t level) {
  const std::size_t j = free_[variable];
  const double step = problem_.levels().value(j, level) - problem_.levels().value(j, indices_[j]);
  const double* column = columns_.data() + variable * rows_.stride;
  for (std::size_t i = 0; i < rows_.hard; ++i) residual_[i] += step * column[i];
  indices_[j] = level;
}

bool SwapDescent::improve_levels() {
  bool improved = false;
  for (std::size_t k = 0; k < free_.size(); ++k) {
    const std::size_t j = free_[k];
    std::int32_t low = 0, high = problem_.levels().count(j) - 1;
    while (low < high) {
      const std::int32_t middle = low + (high - low) / 2;
      const double left = level_value(k, middle), right = level_value(k, middle + 1);
      // Equal neighbours are both least: t is convex.
      if (left <= right) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    if (low == indices_[j] || !clearly_less(level_value(k, low), value_)) continue;
    move(k, low);
    value_ = largest_violation();
    improved = true;
  }
  return improved;
}

bool SwapDescent::improve_pair() {
  const LevelSets& levels = problem_.levels();
  const std::size_t n = free_.size();
  std::vector<double> rise(n), fall(n), reach(rows_.hard, 0.0), drop(rows_.hard, 0.0);
  std::vector<std::int32_t> first, second;
  for (std::size_t k = 0; k < n; ++k) {
    const std::size_t j = free_[k];
    const std::int32_t q = indices_[j];
    rise[k] = q + 1 < levels.count(j) ? levels.value(j, q + 1) - levels.value(j, q) : 0.0;
    fall[k] = q > 0 ? levels.value(j, q) - levels.value(j, q - 1) : 0.0;
    if (rise[k] > 0) first.push_back(static_cast<std::int32_t>(k));
    if (fall[k] > 0) second.push_back(static_cast<std::int32_t>(n + k));
    const double* column = columns_.data() + k * rows_.stride;
    for (std::size_t i = 0; i < rows_.hard; ++i) {
      reach[i] = std::max(reach[i], std::abs(rise[k] * column[i]));
      drop[i] = std::max(drop[i], std::abs(fall[k] * column[i]));
    }
  }
  if (first.empty() || second.empty()) return false;
  // A row counts only if some pair can bring it up to t; rounding must not lose one.
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < rows_.hard; ++i) {
    const double room = 1e-12 * (std::abs(value_) + std::abs(residual_[i]));
    if (violation(i) + reach[i] + drop[i] + room >= value_) kept.push_back(i);
  }
  const std::size_t screen = std::min(screen_rows, kept.size());
  std::partial_sort(kept.begin(), kept.begin() + static_cast<std::ptrdiff_t>(screen), kept.end(),
                    [&](std::size_t a, std::size_t b) {
                      const double va = violation(a), vb = violation(b);
                      return va != vb ? va > vb : a < b;
                    });
  const std::size_t stride = (kept.size() + 7) / 8 * 8;
  AlignedBuffer<double> moves(2 * n * stride, 0.0);
  std::vector<double> residual(kept.size()), upper, lower, out(firsts_a_table * second.size());
  for (std::size_t i = 0; i < kept.size(); ++i) residual[i] = residual_[kept[i]];
  if (!rows_.pure) {
    for (const std::size_t i : kept) {
      upper.push_back(rows_.upper[i]);
      lower.push_back(rows_.lower[i]);
    }
  }
  for (std::size_t k = 0; k < n; ++k) {
    const double* column = columns_.data() + k * rows_.stride;
    for (std::size_t i = 0; i < kept.size(); ++i) {
      moves[k * stride + i] = rise[k] * column[kept[i]];
      moves[(n + k) * stride + i] = fall[k] * column[kept[i]];
    }
  }
  double best = value_ - 1e-12 * std::abs(value_);
  std::size_t up = n, down = n;
  for (std::size_t begin = 0; begin < first.size(); begin += firsts_a_table) {
    const std::size_t count = std::min(firsts_a_table, first.size() - begin);
    const SwapTable table{moves.data(),
                          first.data() + begin,
                          second.data(),
                          residual.data(),
                          rows_.pure ? nullptr : upper.data(),
                          rows_.pure ? nullptr : lower.data(),
                          out.data(),
                          kept.size(),
                          screen,
                          stride,
                          count,
                          second.size(),
                          best};
    swap_table_float64(&table);
    for (std::size_t a = 0; a < count; ++a) {
      for (std::size_t b = 0; b < second.size(); ++b) {
        const auto one = static_cast<std::size_t>(first[begin + a]), other = static_cast<std::size_t>(second[b]) - n;
        if (one == other || !(out[b + a * second.size()] < best)) continue;
        best = out[b + a * second.size()];
        up = one;
        down = other;
      }
    }
  }
  if (up == n) return false;
  move(up, indices_[free_[up]] + 1);
  move(down, indices_[free_[down]] - 1);
  value_ = largest_violation();
  return true;
}

bool SwapDescent::run(std::vector<std::int32_t>& indices, FunctionRef<bool()> should_stop) {
  indices_ = indices;
  search_residual(problem_, rows_, indices_, residual_.span());
  value_ = largest_violation();
  const double begun = value_;
  while (!should_stop()) {
    const double before = value_;
    if (!improve_levels() && !improve_pair()) break;
    search_residual(problem_, rows_, indices_, residual_.span());
    value_ = largest_violation();
    if (!(value_ < before)) break;  // only rounding had made it less
  }
  if (!clearly_less(value_, begun)) return false;
  indices = indices_;
  return true;
}

}  // namespace dd::dmmv
