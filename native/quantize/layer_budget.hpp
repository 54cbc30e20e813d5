// What a budget of bits allows the columns of a layer: numbers of levels, their costs, and what is left for codes once
// everything else that files keep is paid for. Internal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "quantize/layer.hpp"

namespace dd::quantize {

struct LevelOptions {
  std::vector<std::uint32_t> levels;  ///< ascending, the first one level: no bits at all
  std::vector<std::int64_t> costs;    ///< of a column, in parts of a bit
  std::int64_t budget = 0;            ///< of all columns

  std::int64_t cost_of(std::uint32_t count) const noexcept;
  /// The largest option that all columns can have, but two levels at least: a pass of zeros would measure nothing.
  std::size_t uniform(std::size_t columns) const noexcept;
};

/// Options below 2^max_bits levels and what `average_bits` allow.
LevelOptions level_options_of(const LayerOptions& options, std::size_t rows, std::size_t columns);

/// Bits that a file keeps for a layer beside its codes, at most: range and ratio of every row (2 x 32) or of every row
/// and group (16 + 8), the number of levels of every column, its group where groups are not runs of stored columns.
double side_bits(const LayerOptions& options, std::size_t rows, std::size_t columns);

}  // namespace dd::quantize
