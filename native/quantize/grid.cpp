// Grids from weights, row by row.
#include "quantize/grid.hpp"

#include <limits>

#include "core/thread_pool.hpp"

namespace dd::quantize {
namespace {

constexpr std::size_t fitted_rows_per_task = 16;
constexpr int shrink_steps = 80, shrink_grid = 100;
constexpr float shrink_norm = 2.4f;

struct Range {
  float low = 0, high = 0;

  void include(float value) noexcept {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

/// What a grid is made of: never empty, and its step never rounds to zero.
Range usable(Range range, float largest) noexcept {
  return (range.high - range.low) / largest > 0 ? range : Range{-1, 1};
}

Range with_symmetry(Range range, Symmetry symmetry) noexcept {
  if (symmetry == Symmetry::asymmetric) return range;
  const float high = std::max(-range.low, range.high);
  return {range.low < 0 || symmetry == Symmetry::symmetric ? -high : range.low, high};
}

WeightGrid grid_of(Range range, const GridRule& rule) noexcept {
  const auto largest = static_cast<float>(rule.levels - 1);
  const float scale = (range.high - range.low) / largest;
  const float zero = rule.symmetry == Symmetry::asymmetric ? round_code(-range.low / scale) : (largest + 1) / 2;
  return {scale, zero, largest, false};
}

/// `sum` and what a search makes small, over one row; or something above `least`, from where the rest cannot matter.
double add_row_error(double sum, double least, const float* w, std::size_t columns, std::span<const double> diagonal,
                     const WeightGrid& grid, GridSearch search) noexcept {
  for (std::size_t j = 0; j < columns && sum <= least; ++j) {
    const float error = std::fabs(grid.value(grid.nearest(w[j])) - w[j]);
    sum += search == GridSearch::power ? static_cast<double>(std::pow(error, shrink_norm))
                                       : diagonal[j] * static_cast<double>(error) * static_cast<double>(error);
  }
  return sum;
}

/// Shrinks `range` for the rows [begin, end) together.
WeightGrid searched(MatrixView<const float> w, std::size_t begin, std::size_t end, Range range,
                    std::span<const double> diagonal, const GridRule& rule) {
  if (rule.search == GridSearch::none) return grid_of(range, rule);
  WeightGrid best = grid_of(range, rule);
  double least = std::numeric_limits<double>::infinity();
  for (int step = 0; step < shrink_steps; ++step) {
    const float part = 1 - static_cast<float>(step) / shrink_grid;
    const Range smaller{part * range.low, part * range.high};
    const WeightGrid grid = grid_of(smaller, rule);
    if (!(grid.scale > 0)) break;
    double error = 0;
    for (std::size_t i = begin; i < end && error <= least; ++i) {
      error = add_row_error(error, least, &w(i, 0), w.columns, diagonal, grid, rule.search);
    }
    if (error < least) {
      least = error;
      best = grid;
    }
  }
  return best;
}

WeightGrid find(MatrixView<const float> w, std::size_t begin, std::size_t end, std::span<const double> diagonal,
                const GridRule& rule) {
  Range range;
  for (std::size_t i = begin; i < end; ++i) {
    for (std::size_t j = 0; j < w.columns; ++j) range.include(w(i, j));
  }
  const float largest = rule.ternary ? 1.0f : static_cast<float>(rule.levels - 1);
  range = with_symmetry(usable(range, largest), rule.symmetry);
  if (rule.ternary) return {range.low, range.high, 2, true};
  return searched(w, begin, end, range, diagonal, rule);
}

}  // namespace

void find_grid(MatrixView<const float> w, std::span<const double> diagonal, const GridRule& rule, float* first,
               float* second, std::size_t stride, std::size_t threads) {
  if (w.rows == 0) return;
  if (rule.per_tensor) {
    const WeightGrid grid = find(w, 0, w.rows, diagonal, rule);
    for (std::size_t i = 0; i < w.rows; ++i) {
      first[i * stride] = grid.scale;
      second[i * stride] = grid.zero;
    }
    return;
  }
  parallel_for(threads, w.rows, fitted_rows_per_task, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const WeightGrid grid = find(w, i, i + 1, diagonal, rule);
      first[i * stride] = grid.scale;
      second[i * stride] = grid.zero;
    }
  });
}

void find_ranges(MatrixView<const float> w, float* range, float* ratio, std::size_t threads) {
  find_ranges(w, {}, {}, range, ratio, 1, threads);
}

void find_ranges(MatrixView<const float> w, std::span<const double> diagonal, const GridRule& rule, float* range,
                 float* ratio, std::size_t stride, std::size_t threads) {
  parallel_for(threads, w.rows, fitted_rows_per_task, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      Range found;
      for (std::size_t j = 0; j < w.columns; ++j) found.include(w(i, j));
      found = with_symmetry(usable(found, 65535), rule.symmetry);
      const float width = found.high - found.low;
      ratio[i * stride] = rule.symmetry == Symmetry::asymmetric ? -found.low / width : 0.5f;
      range[i * stride] = width;
      if (rule.search == GridSearch::none) continue;
      // Shrinking keeps the ratio.
      const WeightGrid best = searched(w, i, i + 1, found, diagonal, rule);
      range[i * stride] = std::min(width, best.scale * static_cast<float>(rule.levels - 1));
    }
  });
}

}  // namespace dd::quantize
