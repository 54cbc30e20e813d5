// One layer from weights to codes: checks, processing order, the method, refinement, and back to the stored order.
#include "quantize/layer.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/reductions.hpp"
#include "core/thread_pool.hpp"
#include "quantize/layer_budget.hpp"
#include "quantize/layer_run.hpp"
#include "quantize/refine.hpp"

namespace dd::quantize {
namespace {

constexpr std::size_t rows_per_task = 8;

[[noreturn]] void refuse(ErrorCode code, const char* argument, const std::string& wanted, const std::string& got) {
  throw Error(code, argument, std::string("`") + argument + "` must be " + wanted + ", got " + got);
}

void check_weights(MatrixView<const float> weights, std::size_t threads) {
  if (weights.rows == 0) refuse(ErrorCode::out_of_range, "rows", "at least 1", "0");
  if (weights.columns == 0) refuse(ErrorCode::out_of_range, "columns", "at least 1", "0");
  if (weights.column_stride != 1 || weights.row_stride != weights.columns) {
    refuse(ErrorCode::invalid_argument_value, "weights", "row-major without gaps", "other strides");
  }
  const std::size_t count = weights.rows * weights.columns;
  const std::size_t at = first_non_finite({weights.data, count}, threads);
  if (at < count) {
    refuse(ErrorCode::not_finite, "weights", "finite",
           std::to_string(weights.data[at]) + " at row " + std::to_string(at / weights.columns) + ", column " +
               std::to_string(at % weights.columns));
  }
}

void check_levels(const LayerOptions& options, std::size_t columns) {
  if (options.levels.empty()) return;
  if (options.levels.size() != columns) {
    refuse(ErrorCode::shape_mismatch, "levels", "one entry for each of " + std::to_string(columns) + " columns",
           std::to_string(options.levels.size()));
  }
  if (options.method != Method::gptq || options.group_size != 0 || options.ternary || options.per_tensor ||
      options.symmetry != Symmetry::asymmetric || options.search != GridSearch::none) {
    refuse(ErrorCode::invalid_argument_value, "levels", "used with method 'gptq' and its plain grid per row",
           "another method or grid");
  }
  for (std::size_t j = 0; j < columns; ++j) {
    if (options.levels[j] < 1 || options.levels[j] > 65536) {
      refuse(ErrorCode::out_of_range, "levels", "1 to 65536",
             std::to_string(options.levels[j]) + " at column " + std::to_string(j));
    }
    if (options.levels[j] > gptq_largest_wide_levels && (options.sweeps > 0 || options.refit)) {
      refuse(ErrorCode::invalid_argument_value, "levels", "at most 1024 where codes are refined",
             std::to_string(options.levels[j]) + " at column " + std::to_string(j));
    }
  }
}

void check_bits(const LayerOptions& options) {
  const bool whole = options.method != Method::baq;
  const double bits = options.average_bits;
  if (options.ternary || !options.levels.empty()) return;
  if (whole && !(bits >= 1 && bits <= 8 && bits == std::floor(bits))) {
    refuse(ErrorCode::out_of_range, "averageBits", "a whole number from 1 to 8 with this method", std::to_string(bits));
  }
  const double most =
      options.allocation == Allocation::official ? 8 : std::min(8.0, static_cast<double>(options.max_bits));
  if (!whole && !(bits > 0 && bits <= most)) {
    refuse(ErrorCode::out_of_range, "averageBits", "above 0 and at most " + std::to_string(static_cast<int>(most)),
           std::to_string(bits));
  }
}

void check_options(const LayerOptions& options, std::size_t rows, std::size_t columns, bool has_hessian) {
  check_bits(options);
  check_levels(options, columns);
  const bool many = options.method == Method::baq && options.allocation == Allocation::levels;
  if (options.max_bits < 1 || options.max_bits > (many ? 10U : 8U)) {
    refuse(ErrorCode::out_of_range, "maxBits", many ? "1 to 10" : "1 to 8 but in mode 'levels'",
           std::to_string(options.max_bits));
  }
  const bool refining = options.sweeps > 0 || options.refit;
  if (!has_hessian &&
      (options.method != Method::round_to_nearest || refining || options.search == GridSearch::hessian)) {
    refuse(ErrorCode::invalid_argument_value, "hessian", "given for this method", "nothing");
  }
  if (options.method == Method::baq && (options.ternary || options.per_tensor)) {
    refuse(ErrorCode::invalid_argument_value, "method", "'rtn' or 'gptq' with three values or one grid for all",
           "'baq'");
  }
  const bool plain = options.symmetry == Symmetry::asymmetric && options.search == GridSearch::none;
  if (options.method == Method::baq && options.allocation == Allocation::official &&
      !(plain && options.group_size == 0)) {
    refuse(ErrorCode::invalid_argument_value, "mode",
           "another than 'official', which has no symmetry, no search and no groups", "'official'");
  }
  if (options.method == Method::baq && options.allocation == Allocation::official && refining) {
    refuse(ErrorCode::invalid_argument_value, "mode", "another than 'official', which has no refinement", "'official'");
  }
  if (options.budget == Budget::stored) {
    if (options.method != Method::baq || options.allocation == Allocation::official) {
      refuse(ErrorCode::invalid_argument_value, "budget",
             "'codes' but with method 'baq' in another mode than 'official'", "'stored'");
    }
    if (level_options_of(options, rows, columns).budget < 0) {
      const double side =
          side_bits(options, rows, columns) / (static_cast<double>(rows) * static_cast<double>(columns));
      refuse(ErrorCode::out_of_range, "averageBits",
             "at least " + std::to_string(side) + ", which ranges and levels of columns take",
             std::to_string(options.average_bits));
    }
  }
  if (options.ternary && (options.symmetry != Symmetry::asymmetric || options.search != GridSearch::none)) {
    refuse(ErrorCode::invalid_argument_value, "ternary", "used without symmetry and search", "both");
  }
  if (options.per_tensor && options.group_size != 0) {
    refuse(ErrorCode::invalid_argument_value, "perTensor", "used without groups", "both");
  }
  if (options.group_size == 0) return;
  if (options.ternary && !options.static_groups && options.method == Method::gptq) {
    refuse(ErrorCode::invalid_argument_value, "staticGroups", "true for ternary groups", "false");
  }
  if (columns % options.group_size != 0 && !options.allow_tail) {
    refuse(ErrorCode::out_of_range, "groupSize",
           "a divisor of " + std::to_string(columns) + " columns unless `allowTail`",
           std::to_string(options.group_size));
  }
  if (options.block_columns == 0) refuse(ErrorCode::out_of_range, "blockSize", "at least 1", "0");
}

/// W in processing order; dead columns become zero where they are dropped.
void load(LayerRun& run, bool drop_dead) {
  const std::vector<std::uint32_t>& order = run.hessian.order;
  std::vector<bool> dead(run.columns, false);
  if (drop_dead) {
    for (const std::uint32_t j : run.hessian.dead) dead[j] = true;
  }
  run.w = AlignedBuffer<float>(run.rows * run.columns);
  parallel_for(run.threads(), run.rows, 64, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      float* const to = run.w.data() + i * run.columns;
      for (std::size_t p = 0; p < run.columns; ++p) {
        const std::size_t j = order.empty() ? p : order[p];
        to[p] = dead[j] ? 0.0f : run.given(i, j);
      }
    }
  });
}

double energy(const LayerRun& run) {
  if (run.hessian.columns == 0) {
    double sum = 0;
    for (const float weight : run.w.span()) sum += static_cast<double>(weight) * static_cast<double>(weight);
    return sum / 2;
  }
  const AlignedBuffer<float> zeros(run.rows * run.columns, 0.0f);
  return quadratic_loss(run.weights(), MatrixView<const float>::row_major(zeros.data(), run.rows, run.columns),
                        run.hessian.matrix_view(), run.threads());
}

/// From processing order into the order of the caller.
QuantizedLayer unload(LayerRun& run) {
  QuantizedLayer layer;
  layer.rows = run.rows;
  layer.columns = run.columns;
  const std::size_t n = run.columns;
  const bool wide = !run.best.wide.empty();
  if (wide) {
    layer.wide.resize(run.rows * n);
  } else {
    layer.codes.resize(run.rows * n);
  }
  std::vector<std::uint32_t> order = run.hessian.order;
  if (order.empty()) {
    order.resize(n);
    std::iota(order.begin(), order.end(), std::uint32_t{0});
  }
  parallel_for(run.threads(), run.rows, 64, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      for (std::size_t p = 0; p < n; ++p) {
        if (wide) {
          layer.wide[i * n + order[p]] = run.best.wide[i * n + p];
        } else {
          layer.codes[i * n + order[p]] = run.best.codes[i * n + p];
        }
      }
    }
  });
  layer.levels.resize(n);
  layer.column_losses.resize(n);
  layer.sensitivities.resize(run.sensitivities.size());
  layer.grid = run.best.grid;
  for (std::size_t p = 0; p < n; ++p) {
    layer.levels[order[p]] = run.best.levels[p];
    layer.column_losses[order[p]] = run.best.column_losses[p];
    if (!layer.sensitivities.empty()) layer.sensitivities[order[p]] = run.sensitivities[p];
    if (!layer.grid.group.empty()) layer.grid.group[order[p]] = run.best.grid.group[p];
  }
  layer.loss = run.best.loss;
  if (run.options.measure_energy) layer.energy = energy(run);
  layer.gain = run.gain;
  layer.damping = run.hessian.damping;
  layer.dead = run.hessian.dead;
  layer.seconds = run.seconds;
  return layer;
}

void quantize_to_nearest(LayerRun& run) {
  const LayerOptions& options = run.options;
  const PhaseTimer timer(run.seconds.quantize);
  const std::uint32_t levels = options.ternary ? 3 : 1U << static_cast<unsigned>(options.average_bits);
  const std::size_t size = options.group_size == 0 ? run.columns : options.group_size;
  CodedGrid grid;
  grid.kind = options.ternary ? GridKind::ternary : GridKind::scale;
  grid.groups = (run.columns + size - 1) / size;
  grid.first.resize(run.rows * grid.groups);
  grid.second.resize(run.rows * grid.groups);
  if (grid.groups > 1) {
    for (std::size_t j = 0; j < run.columns; ++j) grid.group.push_back(static_cast<std::uint32_t>(j / size));
  }
  std::vector<double> diagonal;
  for (std::size_t j = 0; j < run.hessian.columns; ++j) diagonal.push_back(run.hessian.matrix_view()(j, j));
  const GridRule rule{levels, options.symmetry, options.search, options.ternary, options.per_tensor};
  for (std::size_t g = 0; g < grid.groups; ++g) {
    const std::size_t first = g * size, width = std::min(size, run.columns - first);
    find_grid(run.weights().block(0, first, run.rows, width),
              diagonal.empty() ? std::span<const double>() : std::span<const double>(diagonal).subspan(first, width),
              rule, grid.first.data() + g, grid.second.data() + g, grid.groups, run.threads());
  }
  run.round_to_nearest(grid, std::vector<std::uint32_t>(run.columns, levels));
}

}  // namespace

const char* layer_status_name(LayerStatus status) noexcept {
  switch (status) {
    case LayerStatus::time_limit:
      return "time";
    case LayerStatus::cancelled:
      return "cancelled";
    case LayerStatus::complete:
      break;
  }
  return "complete";
}

void check_layer(MatrixView<const float> weights, bool has_hessian, const LayerOptions& options, std::size_t threads) {
  check_weights(weights, threads);
  check_options(options, weights.rows, weights.columns, has_hessian);
}

HessianOptions hessian_options(const LayerOptions& options, std::size_t threads) noexcept {
  return {options.damping, options.act_order && options.method != Method::round_to_nearest, threads};
}

QuantizedLayer quantize_layer(MatrixView<const float> weights, std::span<const double> hessian,
                              const LayerOptions& options, RunControl& control) {
  check_layer(weights, !hessian.empty(), options, control.threads());
  DampedHessian factored;
  double seconds = 0;
  if (!hessian.empty()) {
    const PhaseTimer timer(seconds);
    Progress progress;
    progress.phase = "factor";
    progress.fraction = 0;
    control.report(progress);
    factored = damp_and_factor(hessian, weights.columns, hessian_options(options, control.threads()));
  }
  QuantizedLayer layer = quantize_layer(weights, factored, options, control);
  layer.seconds.factor = seconds;
  return layer;
}

QuantizedLayer quantize_layer(MatrixView<const float> weights, const DampedHessian& hessian,
                              const LayerOptions& options, RunControl& control) {
  check_layer(weights, hessian.columns != 0, options, control.threads());
  if (hessian.columns != 0 && hessian.columns != weights.columns) {
    refuse(ErrorCode::shape_mismatch, "hessian", "of " + std::to_string(weights.columns) + " columns",
           std::to_string(hessian.columns));
  }
  LayerRun run{options, control, weights, weights.rows, weights.columns, hessian, {}, {}, {}, 1, {}, {}, {}};
  const bool rounding = options.method == Method::round_to_nearest;
  load(run, !rounding);
  if (rounding) {
    quantize_to_nearest(run);
  } else if (options.method == Method::gptq) {
    quantize_uniform(run);
  } else {
    quantize_allocated(run);
  }
  if ((options.sweeps > 0 || options.refit) && !control.should_stop()) {
    const PhaseTimer timer(run.seconds.refine);
    run.report("refine", 0.9);
    RefineOptions how{options.sweeps, options.refit};
    if (run.errors_of_best) {
      how.errors = run.view(run.last_errors);
      how.factor = hessian.factor_view();
    }
    const auto refined = [&](auto codes) {
      return refine(run.weights(), run.view(run.best.values), codes, run.best.levels, run.best.grid,
                    run.hessian.matrix_view(), how, control);
    };
    run.best.loss = run.best.wide.empty() ? refined(run.view(run.best.codes)) : refined(run.view(run.best.wide));
  }
  QuantizedLayer layer = unload(run);
  if (control.should_stop()) {
    layer.status = control.cancelled() ? LayerStatus::cancelled : LayerStatus::time_limit;
  }
  return layer;
}

void dequantize(const QuantizedLayer& layer, std::span<float> values, std::size_t threads) {
  const std::size_t n = layer.columns;
  if (values.size() != layer.rows * n) {
    refuse(ErrorCode::shape_mismatch, "values", std::to_string(layer.rows * n) + " numbers",
           std::to_string(values.size()));
  }
  parallel_for(threads, layer.rows, rows_per_task, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        const std::size_t at = i * n + j;
        const auto code = static_cast<float>(layer.wide.empty() ? layer.codes[at] : layer.wide[at]);
        values[at] = weight_grid(layer.grid, i, j, layer.levels[j]).value(code);
      }
    }
  });
}

}  // namespace dd::quantize
