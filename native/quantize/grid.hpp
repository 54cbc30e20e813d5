// The values a weight may take: how grids are found from weights, and the one formula by which codes become values
// (lib/quantize/coded-weights.ts says the same in TypeScript).
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "core/matrix_view.hpp"

namespace dd::quantize {

enum class GridKind : std::uint8_t {
  range,   ///< range and ratio a row and group; scale = range / (levels_j - 1), zero = round(ratio (levels_j - 1))
  scale,   ///< scale and zero a row and group
  ternary  ///< low, 0 and high a row and group
};

/// A grid for every weight. Two numbers a row and group, rows x groups: range and ratio, scale and zero, low and high.
struct CodedGrid {
  GridKind kind = GridKind::scale;
  std::size_t groups = 1;
  std::vector<float> first, second;
  std::vector<std::uint32_t> group;  ///< of each column; empty: all in group 0

  std::size_t group_of(std::size_t column) const noexcept { return group.empty() ? 0 : group[column]; }
};

/// Half to even, values beyond a million clamped to it: the rounding of the GPTQ kernels, without a call. The smaller
/// shift would do for |value| <= 2^22; 65536 levels need no more.
inline float round_code(float value) noexcept {
  constexpr float shift = 0x1.8p23f;
  return (std::clamp(value, -1e6f, 1e6f) + shift) - shift;
}

/// The grid of one weight: `levels` equally spaced values, or three of their own.
struct WeightGrid {
  float scale, zero, largest;  ///< or low and high where `ternary`
  bool ternary = false;

  float value(float code) const noexcept {
    if (ternary) return code == 0 ? scale : code == 2 ? zero : 0.0f;
    return scale * (code - zero);
  }
  float nearest(float weight) const noexcept {
    if (ternary) return weight > zero / 2 ? 2.0f : weight < scale / 2 ? 0.0f : 1.0f;
    return std::clamp(round_code(weight / scale) + zero, 0.0f, largest);
  }
};

/// The grid of weight (row, column), the column having `levels` levels.
inline WeightGrid weight_grid(const CodedGrid& grid, std::size_t row, std::size_t column,
                              std::uint32_t levels) noexcept {
  const std::size_t at = row * grid.groups + grid.group_of(column);
  const float first = grid.first[at], second = grid.second[at];
  const auto largest = static_cast<float>(levels - 1);
  if (grid.kind == GridKind::ternary) return {first, second, 2, true};
  if (levels <= 1) return {1, 0, 0, false};  // a dropped column: its value is 0 whatever the grid says
  if (grid.kind == GridKind::scale) return {first, second, largest, false};
  return {first / largest, round_code(second * largest), largest, false};
}

/// Ranges of groups are many, so they are kept as bfloat16: the nearest one, never 0.
inline float stored_range(float range) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(range);
  const std::uint32_t up = (bits + 0xffffU) & 0xffff0000U,
                      nearest = (bits + 0x7fffU + ((bits >> 16) & 1U)) & 0xffff0000U;
  const float near = std::bit_cast<float>(nearest), above = std::bit_cast<float>(up);
  if (near > 0 && near <= std::numeric_limits<float>::max()) return near;
  return near > 0 ? std::bit_cast<float>(bits & 0xffff0000U) : above;
}
/// And their ratios, in [0, 1], as 254 parts of 1, so that a byte holds 0, 1/2 and 1.
inline float stored_ratio(float ratio) noexcept { return round_code(ratio * 254.0f) / 254.0f; }

enum class Symmetry : std::uint8_t {
  asymmetric,
  symmetric,          ///< from -max |w| to max |w|
  official_symmetric  ///< the published codes': a row without negative weights starts at 0 with its zero in the middle
};

enum class GridSearch : std::uint8_t {
  none,    ///< smallest to largest weight, 0 included
  power,   ///< shrinks the range to the least sum |w - value|^2.4 of 80 candidates
  hessian  ///< to the least sum H_jj (w - value)^2
};

struct GridRule {
  std::uint32_t levels = 16;
  Symmetry symmetry = Symmetry::asymmetric;
  GridSearch search = GridSearch::none;
  bool ternary = false;
  bool per_tensor = false;
};

/// Scale and zero (or low and high) of each row of `w` (rows x columns, row-major); with per_tensor the same for all.
/// diagonal: columns, weights of the search by Hessian, else not read. first and second: rows entries, `stride` apart.
/// A row of zeros gets the range -1 to 1. Cost: one pass over w; 80 with a search.
/// Source: GPTQ's public code (arXiv 2210.17323), quantizer; search: norm 2.4, grid 100, shrinkage to 0.21.
void find_grid(MatrixView<const float> w, std::span<const double> diagonal, const GridRule& rule, float* first,
               float* second, std::size_t stride, std::size_t threads);

/// Range and ratio of each row. A row of zeros gets range 2 and ratio 0.5. range, ratio: rows entries.
void find_ranges(MatrixView<const float> w, float* range, float* ratio, std::size_t threads);
/// The same with the symmetry and the search of a rule: symmetric ranges have the ratio 0.5, a search shrinks them to
/// what suits columns of `levels` levels best. diagonal: columns, or empty where nothing is searched by Hessian.
/// range, ratio: rows entries, `stride` apart.
void find_ranges(MatrixView<const float> w, std::span<const double> diagonal, const GridRule& rule, float* range,
                 float* ratio, std::size_t stride, std::size_t threads);

}  // namespace dd::quantize
