// A stratified sample: rounding errors of a row grow with the square of its range, so rows of large ranges are all in.
#include "quantize/layer_sample.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace dd::quantize {
namespace {

/// Rows by falling range, equal ones by index.
std::vector<std::size_t> rows_by_range(const CodedGrid& grid, std::size_t rows) {
  std::vector<double> squares(rows, 0.0);
  for (std::size_t at = 0; at < grid.first.size(); ++at) {
    squares[at / grid.groups] += static_cast<double>(grid.first[at]) * static_cast<double>(grid.first[at]);
  }
  std::vector<std::size_t> order(rows);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return squares[a] != squares[b] ? squares[a] > squares[b] : a < b; });
  return order;
}

}  // namespace

std::optional<RowSample> sample_rows(const LayerRun& run, const CodedGrid& grid) {
  if (run.rows <= 2 * least_sampled_rows || run.columns < least_sampled_columns) return std::nullopt;
  const std::size_t sampled_rows = std::max(least_sampled_rows, run.rows / 8), largest_rows = sampled_rows / 4;
  const std::vector<std::size_t> order = rows_by_range(grid, run.rows);
  const std::size_t others = run.rows - largest_rows, taken = sampled_rows - largest_rows;
  const auto scale = static_cast<float>(std::sqrt(static_cast<double>(others) / static_cast<double>(taken)));
  RowSample sample;
  sample.rows = sampled_rows;
  sample.w = AlignedBuffer<float>(sampled_rows * run.columns);
  sample.grid = grid;
  sample.grid.first.resize(sampled_rows * grid.groups);
  sample.grid.second.resize(sampled_rows * grid.groups);
  for (std::size_t i = 0; i < sampled_rows; ++i) {
    const bool large = i < largest_rows;
    const std::size_t row = order[large ? i : largest_rows + (i - largest_rows) * others / taken];
    const float factor = large ? 1.0f : scale;
    for (std::size_t p = 0; p < run.columns; ++p) {
      sample.w[i * run.columns + p] = factor * run.w[row * run.columns + p];
    }
    for (std::size_t g = 0; g < grid.groups; ++g) {
      sample.grid.first[i * grid.groups + g] = factor * grid.first[row * grid.groups + g];
      sample.grid.second[i * grid.groups + g] = grid.second[row * grid.groups + g];
    }
  }
  return sample;
}

}  // namespace dd::quantize
