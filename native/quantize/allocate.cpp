// Reverse water-filling and its whole-numbered relatives.
#include "quantize/allocate.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <queue>
#include <string>

#include "core/error.hpp"
#include "quantize/knapsack.hpp"

namespace dd::quantize {
namespace {

constexpr std::array<std::int32_t, 36> all_levels{1,   2,   3,   4,   5,   6,   7,   8,   10,  12,  14,  16,
                                                  20,  24,  28,  32,  40,  48,  56,  64,  80,  96,  112, 128,
                                                  160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024};

void check(std::span<const double> sensitivities, double average_bits, double max_bits) {
  if (sensitivities.empty()) {
    throw Error(ErrorCode::shape_mismatch, "sensitivities", "`sensitivities` must have at least one element");
  }
  for (std::size_t j = 0; j < sensitivities.size(); ++j) {
    if (!std::isfinite(sensitivities[j])) {
      throw Error(ErrorCode::not_finite, "sensitivities",
                  "`sensitivities` must be finite, but is not at position " + std::to_string(j));
    }
    if (sensitivities[j] < 0) {
      throw Error(ErrorCode::out_of_range, "sensitivities",
                  "`sensitivities` must not be negative, got " + std::to_string(sensitivities[j]) + " at position " +
                      std::to_string(j));
    }
  }
  if (!(max_bits >= 0 && std::isfinite(max_bits))) {
    throw Error(ErrorCode::out_of_range, "maxBits", "`maxBits` must be a finite number of at least 0");
  }
  if (!(average_bits >= 0 && average_bits <= max_bits)) {
    throw Error(ErrorCode::out_of_range, "averageBits",
                "`averageBits` must be in [0, maxBits = " + std::to_string(max_bits) + "], got " +
                    std::to_string(average_bits));
  }
}

void finish(BitAllocation& allocation, std::span<const double> sensitivities) {
  double sum = 0;
  for (std::size_t j = 0; j < sensitivities.size(); ++j) {
    sum += allocation.bits[j];
    if (sensitivities[j] > 0) allocation.objective += sensitivities[j] * std::exp2(-2 * allocation.bits[j]);
  }
  allocation.achieved_bits = sum / static_cast<double>(sensitivities.size());
}

/// log2(theta) / 2 such that sum_j clip(x_j - t, 0, max_bits) = budget for x descending; budget <= N max_bits.
double water_level(std::span<const double> x, double budget, double max_bits) {
  // Going down from the largest x, column j starts to fill at x_j and is full at x_j - max_bits.
  std::size_t started = 0, full = 0;
  double level = x.front(), sum = 0;
  while (true) {
    const double start = started < x.size() ? x[started] : -std::numeric_limits<double>::infinity();
    const double next = std::max(start, x[full] - max_bits);
    const double filling = static_cast<double>(started - full);
    if (sum + filling * (level - next) >= budget) break;
    sum += filling * (level - next);
    level = next;
    if (start >= x[full] - max_bits) {
      ++started;
    } else if (++full == x.size()) {
      return level;
    }
  }
  return started == full ? level : level - (budget - sum) / static_cast<double>(started - full);
}

}  // namespace

BitAllocation water_filling(std::span<const double> sensitivities, double average_bits, double max_bits) {
  check(sensitivities, average_bits, max_bits);
  BitAllocation allocation;
  allocation.bits.assign(sensitivities.size(), 0);
  std::vector<double> x;
  for (const double c : sensitivities) {
    if (c > 0) x.push_back(std::log2(c) / 2);
  }
  const double live = static_cast<double>(x.size()) * max_bits;
  const double budget = std::min(average_bits * static_cast<double>(sensitivities.size()), live);
  if (budget > 0) {
    std::sort(x.begin(), x.end(), std::greater<>());
    const double level = water_level(x, budget, max_bits);
    for (std::size_t j = 0; j < sensitivities.size(); ++j) {
      if (!(sensitivities[j] > 0)) continue;
      allocation.bits[j] =
          budget == live ? max_bits : std::clamp(std::log2(sensitivities[j]) / 2 - level, 0.0, max_bits);
    }
  }
  finish(allocation, sensitivities);
  return allocation;
}

BitAllocation integer_bits(std::span<const double> sensitivities, double average_bits, int max_bits) {
  check(sensitivities, average_bits, max_bits);
  BitAllocation allocation = water_filling(sensitivities, average_bits, max_bits);
  auto left = static_cast<std::int64_t>(std::floor(average_bits * static_cast<double>(sensitivities.size()) + 1e-9));
  struct Next {
    double gain;
    std::size_t column;
    bool operator<(const Next& other) const {
      return gain != other.gain ? gain < other.gain : column > other.column;  // the queue's top is the largest
    }
  };
  const auto gain = [&](std::size_t j) {
    return std::ldexp(sensitivities[j], -2 * static_cast<int>(allocation.bits[j])) * 0.75;
  };
  std::vector<Next> first;
  for (std::size_t j = 0; j < sensitivities.size(); ++j) {
    // Rounding to whole bits moves the water by less than one bit, so that many every column keeps.
    allocation.bits[j] = std::max(0.0, std::ceil(allocation.bits[j]) - 2);
    left -= static_cast<std::int64_t>(allocation.bits[j]);
    if (sensitivities[j] > 0 && allocation.bits[j] < max_bits) first.push_back({gain(j), j});
  }
  std::priority_queue<Next> queue(std::less<Next>(), std::move(first));
  for (; left > 0 && !queue.empty(); --left) {
    const std::size_t j = queue.top().column;
    queue.pop();
    allocation.bits[j] += 1;
    if (allocation.bits[j] < max_bits) queue.push({gain(j), j});
  }
  allocation.objective = 0;
  finish(allocation, sensitivities);
  return allocation;
}

std::span<const std::int32_t> level_options() noexcept { return all_levels; }

std::int64_t level_cost(std::int32_t levels) noexcept { return std::llround(1024 * std::log2(levels)); }

BitAllocation level_allocation(std::span<const double> sensitivities, double average_bits, double max_bits,
                               RunControl& control) {
  check(sensitivities, average_bits, max_bits);
  std::vector<std::int64_t> costs;
  std::vector<double> reductions;
  for (const std::int32_t levels : all_levels) {
    if (levels > 1 && std::log2(levels) > max_bits) break;
    costs.push_back(level_cost(levels));
    reductions.push_back(1 / (static_cast<double>(levels) * levels));
  }
  std::vector<double> values;
  values.reserve(sensitivities.size() * costs.size());
  for (const double c : sensitivities) {
    for (const double reduction : reductions) values.push_back(c * reduction);
  }
  const double units = std::floor(1024 * average_bits * static_cast<double>(sensitivities.size()) + 1e-6);
  const KnapsackSolution found = solve_knapsack({.groups = sensitivities.size(),
                                                 .options = costs.size(),
                                                 .values = values,
                                                 .costs = costs,
                                                 .budget = static_cast<std::int64_t>(units)},
                                                {}, control);
  BitAllocation allocation;
  allocation.gap = found.gap;
  for (const std::int32_t choice : found.choices) {
    allocation.levels.push_back(all_levels[static_cast<std::size_t>(choice)]);
    allocation.bits.push_back(std::log2(allocation.levels.back()));
  }
  finish(allocation, sensitivities);
  return allocation;
}

BitAllocation official_levels(std::span<const double> losses, double average_bits) {
  constexpr double exponent = 1.95, most = 1 << 30;
  check(losses, average_bits, std::numeric_limits<std::int32_t>::digits);
  double logarithms = 0;
  for (const double loss : losses) logarithms += std::log(loss + 1e-8);
  const double geometric_mean = std::exp(logarithms / static_cast<double>(losses.size()));
  BitAllocation allocation;
  for (const double loss : losses) {
    const double t = std::pow(loss / geometric_mean * std::exp2(exponent * average_bits), 1 / exponent);
    allocation.levels.push_back(static_cast<std::int32_t>(std::nearbyint(std::clamp(t, 1.0, most))));
    allocation.bits.push_back(std::log2(allocation.levels.back()));
  }
  finish(allocation, losses);
  return allocation;
}

}  // namespace dd::quantize
