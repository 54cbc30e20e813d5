// Options of columns and the budget they share.
#include "quantize/layer_budget.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "quantize/allocate.hpp"

namespace dd::quantize {
namespace {

// Costs of numbers of levels are in parts of a bit.
constexpr double parts_of_bit = 1024;
constexpr double word_bits = 64;

double index_bits(std::size_t kinds) noexcept { return std::bit_width(kinds - 1); }

/// Bits of a code in a file: whole ones, or words of mixed radix where that is shorter.
std::int64_t stored_cost(std::int32_t levels) noexcept {
  const double bits = std::log2(levels);
  const double packed = levels == 1 ? 0 : std::min(std::ceil(bits), word_bits / std::floor(word_bits / bits));
  return static_cast<std::int64_t>(std::ceil(parts_of_bit * packed));
}

bool by_levels(const LayerOptions& options) noexcept { return options.allocation == Allocation::levels; }

std::vector<std::uint32_t> levels_of(const LayerOptions& options) {
  std::vector<std::uint32_t> levels;
  if (by_levels(options)) {
    for (const std::int32_t count : level_options()) {
      if (count <= 1 << options.max_bits) levels.push_back(static_cast<std::uint32_t>(count));
    }
  } else {
    for (std::uint32_t bits = 0; bits <= options.max_bits; ++bits) levels.push_back(1U << bits);
  }
  return levels;
}

}  // namespace

std::int64_t LevelOptions::cost_of(std::uint32_t count) const noexcept {
  const auto at = std::lower_bound(levels.begin(), levels.end(), count) - levels.begin();
  return costs[static_cast<std::size_t>(at)];
}

std::size_t LevelOptions::uniform(std::size_t columns) const noexcept {
  std::size_t chosen = 1;
  for (std::size_t k = 1; k < levels.size(); ++k) {
    if (costs[k] * static_cast<std::int64_t>(columns) <= budget) chosen = k;
  }
  return chosen;
}

double side_bits(const LayerOptions& options, std::size_t rows, std::size_t columns) {
  const std::size_t size = options.group_size == 0 ? columns : options.group_size;
  const std::size_t groups = (columns + size - 1) / size;
  const auto m = static_cast<double>(rows), n = static_cast<double>(columns);
  const double ranges = groups > 1 ? 24 * m * static_cast<double>(groups) : 64 * m;
  const bool runs = groups == 1 || options.static_groups || !options.act_order;
  return ranges + n * index_bits(levels_of(options).size()) + (runs ? 0 : n * index_bits(groups));
}

LevelOptions level_options_of(const LayerOptions& options, std::size_t rows, std::size_t columns) {
  LevelOptions found;
  found.levels = levels_of(options);
  const bool stored = options.budget == Budget::stored;
  const auto n = static_cast<double>(columns);
  const double side = stored ? side_bits(options, rows, columns) / static_cast<double>(rows) : 0;
  const double limit = options.average_bits * n - side;
  for (const std::uint32_t count : found.levels) {
    const auto levels = static_cast<std::int32_t>(count);
    found.costs.push_back(!by_levels(options) ? std::bit_width(count) - 1
                          : stored            ? stored_cost(levels)
                                              : level_cost(levels));
  }
  found.budget = static_cast<std::int64_t>(std::floor((by_levels(options) ? parts_of_bit : 1) * limit + 1e-9));
  return found;
}

}  // namespace dd::quantize
