// The steps that all methods share: rounding without corrections, a pass with them.
#include "quantize/layer_run.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/thread_pool.hpp"
#include "linalg/sequential_rounding.hpp"
#include "quantize/refine.hpp"

namespace dd::quantize {
namespace {

constexpr std::size_t run_rows_per_task = 8;

}  // namespace

void LayerRun::round_to_nearest(const CodedGrid& grid, std::vector<std::uint32_t> levels) {
  best.grid = grid;
  best.levels = std::move(levels);
  best.wide.clear();
  best.codes = AlignedBuffer<std::uint8_t>(rows * columns);
  best.values = AlignedBuffer<float>(rows * columns);
  parallel_for(threads(), rows, run_rows_per_task, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      for (std::size_t j = 0; j < columns; ++j) {
        const WeightGrid here = weight_grid(grid, i, j, best.levels[j]);
        const float code = here.nearest(w[i * columns + j]);
        best.codes[i * columns + j] = static_cast<std::uint8_t>(code);
        best.values[i * columns + j] = here.value(code);
      }
    }
  });
  // Without corrections a column has its own part of the loss only where H is diagonal: half its squared error.
  best.column_losses.assign(columns, 0);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) {
      const double error = static_cast<double>(w[i * columns + j]) - static_cast<double>(best.values[i * columns + j]);
      const double curvature = hessian.columns == 0 ? 1 : hessian.matrix_view()(j, j);
      best.column_losses[j] += curvature * error * error / 2;
    }
  }
  best.loss = hessian.columns == 0 ? std::accumulate(best.column_losses.begin(), best.column_losses.end(), 0.0)
                                   : quadratic_loss(weights(), view(best.values), hessian.matrix_view(), threads());
}

bool LayerRun::pass(const CodedGrid& grid, std::vector<std::uint32_t> levels, LayerCodes& codes,
                    AlignedBuffer<float>* errors) {
  const PhaseTimer timer(seconds.quantize);
  codes.grid = grid;
  codes.levels = std::move(levels);
  const bool wide = *std::max_element(codes.levels.begin(), codes.levels.end()) > gptq_largest_levels;
  codes.wide.clear();
  codes.column_losses.assign(columns, 0);
  if (!wide) codes.codes.reserve_discarding(rows * columns);
  codes.values.reserve_discarding(rows * columns);
  if (errors != nullptr) errors->reserve_discarding(rows * columns);
  const GptqGrids grids{grid.kind == GridKind::range ? GptqGridForm::range_and_ratio : GptqGridForm::scale_and_zero,
                        MatrixView<const float>::row_major(grid.first.data(), rows, grid.groups),
                        MatrixView<const float>::row_major(grid.second.data(), rows, grid.groups), grid.group,
                        codes.levels};
  const GptqOutputs outputs{wide ? MatrixView<std::uint8_t>{} : view(codes.codes), view(codes.values),
                            errors != nullptr ? view(*errors) : MatrixView<float>{}, codes.column_losses};
  const GptqOptions how{threads(), &control, &workspace, true};
  if (gptq_quantize(weights(), hessian.factor_view(), grids, outputs, how) < columns) return false;
  if (wide) {
    codes.wide.resize(rows * columns);
    read_codes(view(codes.values), codes.levels, grid, 0, view(codes.wide), threads());
  }
  codes.loss = std::accumulate(codes.column_losses.begin(), codes.column_losses.end(), 0.0);
  return true;
}

bool LayerRun::wide_pass(const CodedGrid& grid, std::vector<std::uint32_t> levels, LayerCodes& codes) {
  const PhaseTimer timer(seconds.quantize);
  codes.grid = grid;
  codes.levels = std::move(levels);
  codes.column_losses.assign(columns, 0);
  codes.values = AlignedBuffer<float>(rows * columns);
  std::copy(w.begin(), w.end(), codes.values.begin());
  const bool wide = *std::max_element(codes.levels.begin(), codes.levels.end()) > gptq_largest_levels;
  codes.wide.assign(wide ? rows * columns : 0, 0);
  codes.codes = AlignedBuffer<std::uint8_t>(wide ? 0 : rows * columns);
  const auto round = [&](std::size_t i, std::size_t j, float weight) {
    const WeightGrid here = weight_grid(grid, i, j, codes.levels[j]);
    const float code = here.nearest(weight);
    if (wide) {
      codes.wide[i * columns + j] = static_cast<std::uint16_t>(code);
    } else {
      codes.codes[i * columns + j] = static_cast<std::uint8_t>(code);
    }
    return here.value(code);
  };
  if (!linalg::sequential_quantize(view(codes.values), hessian.factor_view(), codes.column_losses, threads(), &control,
                                   round)) {
    return false;
  }
  codes.loss = std::accumulate(codes.column_losses.begin(), codes.column_losses.end(), 0.0);
  return true;
}

}  // namespace dd::quantize
