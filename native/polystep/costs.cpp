#include "polystep/costs.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

namespace dd::polystep {
namespace {

constexpr double smallest_divisor = 1e-10;

/// Least and largest; costs so far apart that their difference overflows are shrunk before.
std::pair<double, double> tame(std::span<double> costs) {
  double least = costs[0], most = costs[0];
  for (const double cost : costs) {
    least = cost < least ? cost : least;
    most = cost > most ? cost : most;
  }
  if (std::isfinite(most - least)) return {least, most};
  for (double& cost : costs) cost *= 0.25;
  return {0.25 * least, 0.25 * most};
}

/// Population standard deviation.
double standard_deviation(std::span<const double> values) {
  const auto count = static_cast<double>(values.size());
  double mean = 0, variance = 0;
  for (const double value : values) mean += value;
  mean /= count;
  for (const double value : values) variance += (value - mean) * (value - mean);
  return std::sqrt(variance / count);
}

/// r / (V - 1) with r the average rank among ties; halves where all are equal.
void rank_row(std::span<double> row) {
  const std::size_t count = row.size();
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return row[a] < row[b]; });
  std::vector<double> ranks(count);
  for (std::size_t begin = 0, end = 0; begin < count; begin = end) {
    for (end = begin; end < count && row[order[end]] == row[order[begin]];) ++end;
    const double rank = static_cast<double>(begin + end - 1) / 2;
    for (std::size_t i = begin; i < end; ++i) ranks[order[i]] = rank;
  }
  const double most = count > 1 ? static_cast<double>(count - 1) : 1;
  for (std::size_t n = 0; n < count; ++n) row[n] = ranks[n] / most;
}

/// The four costs of the plane's orthoplex in so many words: with rows this short the loops are most of the time.
void standardise_four(double* row) {
  const double a = row[0], b = row[1], c = row[2], d = row[3];
  const double least = std::min(std::min(a, b), std::min(c, d)),
               range = std::max(std::max(a, b), std::max(c, d)) - least;
  const double x[4]{(a - least) / range, (b - least) / range, (c - least) / range, (d - least) / range};
  const double mean = ((x[0] + x[1]) + (x[2] + x[3])) / 4;
  const double y[4]{x[0] - mean, x[1] - mean, x[2] - mean, x[3] - mean};
  const double deviation = std::sqrt(((y[0] * y[0] + y[1] * y[1]) + (y[2] * y[2] + y[3] * y[3])) / 4);
  for (std::size_t n = 0; n < 4; ++n) row[n] = x[n] / deviation;
}

void standardise_row(std::span<double> row) {
  const auto [least, most] = tame(row);
  if (most == least) {  // rounding would give a deviation of its own
    std::fill(row.begin(), row.end(), 0.0);
    return;
  }
  if (row.size() == 4) return standardise_four(row.data());
  const double range = most - least;
  for (double& cost : row) cost = (cost - least) / range;
  const double deviation = standard_deviation(row);
  for (double& cost : row) cost /= deviation;
}

}  // namespace

double infeasible_cost(double largest) noexcept {
  if (largest < 0) return 1;
  const double cost = 2 * largest + 1;
  return std::isfinite(cost) ? cost : std::numeric_limits<double>::max();
}

double largest_finite(std::span<const double> costs) noexcept {
  double largest = -1;
  for (const double cost : costs) {
    const double size = std::abs(cost);
    if (size <= std::numeric_limits<double>::max()) largest = std::max(largest, size);
  }
  return largest;
}

void replace_infeasible(std::span<double> costs, double replacement) noexcept {
  for (double& cost : costs) {
    if (!std::isfinite(cost)) cost = replacement;
  }
}

ScaledCosts scale_costs(std::span<double> costs, std::size_t vertices, CostScale scale, double number) {
  if (costs.empty()) return {};
  const auto count = static_cast<double>(costs.size());
  ScaledCosts scaled;
  if (scale == CostScale::raw_mean || scale == CostScale::raw_max) {
    double sum = 0, largest = 0;
    for (const double cost : costs) {
      sum += std::abs(cost);
      largest = std::max(largest, std::abs(cost));
    }
    scaled.divisor = std::max(scale == CostScale::raw_mean ? sum / count : largest, smallest_divisor);
    for (double& cost : costs) cost /= scaled.divisor;
    return scaled;
  }
  if (scale == CostScale::row_std || scale == CostScale::rank) {
    for (std::size_t i = 0; i < costs.size(); i += vertices) scale_row(costs.subspan(i, vertices), scale, number);
    return scaled;
  }
  const auto [least, most] = tame(costs);
  const double range = most - least;
  for (double& cost : costs) cost -= least;
  if (scale == CostScale::number) scaled.divisor = number;
  if (scale == CostScale::mean) {
    double mean = 0;
    for (const double cost : costs) mean += cost / count;
    scaled.divisor = std::max(mean, smallest_divisor);
  }
  if (scale == CostScale::max) scaled.divisor = std::max(range, smallest_divisor);
  if (scale == CostScale::standard_deviation && range > 0) {
    // Relative to the largest, so that squares neither overflow nor vanish.
    std::vector<double> relative(costs.begin(), costs.end());
    for (double& cost : relative) cost /= range;
    scaled.divisor = range * standard_deviation(relative);
  }
  for (double& cost : costs) cost /= scaled.divisor;
  scaled.shift = least / scaled.divisor;
  return scaled;
}

void scale_row(std::span<double> row, CostScale scale, double number) {
  if (scale == CostScale::row_std) return standardise_row(row);
  if (scale == CostScale::rank) return rank_row(row);
  const double divisor = scale == CostScale::number ? number : 1;
  const double least = tame(row).first;
  for (double& cost : row) cost = (cost - least) / divisor;
}

}  // namespace dd::polystep
