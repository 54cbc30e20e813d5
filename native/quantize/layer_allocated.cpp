// BAQ: how many levels each column gets. A uniform pass measures what columns cost, an allocation spends the budget,
// another pass quantises with it (arXiv 2506.05664).
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/error.hpp"
#include "linalg/sequential_rounding.hpp"
#include "quantize/allocate.hpp"
#include "quantize/knapsack.hpp"
#include "quantize/layer_run.hpp"
#include "quantize/range_candidates.hpp"
#include "quantize/rounding_table.hpp"

namespace dd::quantize {
namespace {

// Costs of that mode are in parts of a bit.
constexpr double parts_of_bit = 1024;

// Constants of the published code.
constexpr double official_theta = 1.95, official_epsilon = 1e-8;
// Parts of a row's range that are tried: 1, 0.95 ... 0.25.
constexpr std::size_t range_factors = 16;
constexpr std::uint32_t official_largest_code = 1000, most_levels = 65536;

struct Options {
  std::vector<std::uint32_t> levels;
  std::vector<std::int64_t> costs;
  std::int64_t budget = 0;
};

/// Options below 2^max_bits levels, their costs and what `average_bits` allow.
Options options_of(const LayerRun& run) {
  Options options;
  const double limit = run.options.average_bits * static_cast<double>(run.columns);
  if (run.options.allocation == Allocation::levels) {
    for (const std::int32_t count : level_options()) {
      if (count > 1 << run.options.max_bits) break;
      options.levels.push_back(static_cast<std::uint32_t>(count));
      options.costs.push_back(level_cost(count));
    }
    options.budget = static_cast<std::int64_t>(std::floor(parts_of_bit * limit + 1e-9));
  } else {
    for (std::uint32_t bits = 0; bits <= run.options.max_bits; ++bits) {
      options.levels.push_back(1U << bits);
      options.costs.push_back(bits);
    }
    options.budget = static_cast<std::int64_t>(std::floor(limit + 1e-9));
  }
  return options;
}

/// The largest option that all columns can have, but two levels at least: a pass of zeros would measure nothing.
std::size_t uniform_option(const Options& options, std::size_t columns) {
  std::size_t chosen = 1;
  for (std::size_t k = 1; k < options.levels.size(); ++k) {
    if (options.costs[k] * static_cast<std::int64_t>(columns) <= options.budget) chosen = k;
  }
  return chosen;
}

/// Geometric over arithmetic mean of the columns' losses, as far as they are not zero.
double gain_of(std::span<const double> losses) {
  double logarithms = 0, sum = 0, count = 0;
  for (const double loss : losses) {
    if (!(loss > 0)) continue;
    logarithms += std::log(loss);
    sum += loss;
    ++count;
  }
  return count == 0 ? 1 : std::exp(logarithms / count) / (sum / count);
}

/// A better pass that fits the budget takes the place of the best one.
bool keep(LayerRun& run, LayerCodes& codes, const Options& options) {
  std::int64_t cost = 0;
  for (const std::uint32_t count : codes.levels) {
    const auto at = std::lower_bound(options.levels.begin(), options.levels.end(), count) - options.levels.begin();
    cost += options.costs[static_cast<std::size_t>(at)];
  }
  if (cost > options.budget || !(codes.loss < run.best.loss)) return false;
  std::swap(run.best, codes);
  return true;
}

/// values: columns x options. Dead columns cost nothing and get the first option.
std::vector<std::uint32_t> solve(LayerRun& run, const Options& options, std::span<double> values) {
  const PhaseTimer timer(run.seconds.allocate);
  const std::size_t count = options.levels.size();
  for (std::size_t p = 0; p < run.columns; ++p) {
    const std::span<double> own = values.subspan(p * count, count);
    // The first option is no bits at all. Where all weights of a column are zero it is as good as any other.
    if (own[0] == 0) std::fill(own.begin(), own.end(), 0.0);
  }
  const KnapsackProblem problem{run.columns, count, values, options.costs, options.budget, KnapsackConstraint::at_most};
  RunControl whole(run.control.threads());  // an allocation is short; a stop comes before the next pass
  const KnapsackSolution solution = solve_knapsack(problem, {}, whole);
  std::vector<std::uint32_t> levels(run.columns);
  for (std::size_t p = 0; p < run.columns; ++p) {
    const bool nothing = values[p * count] == 0;
    levels[p] = nothing ? options.levels[0] : options.levels[static_cast<std::size_t>(solution.choices[p])];
  }
  return levels;
}

/// Shrinks `grid` to the best of the ranges for these levels, on weights as they were corrected.
CodedGrid fit_ranges(LayerRun& run, const CodedGrid& grid, std::span<const std::uint32_t> levels,
                     MatrixView<const float> corrected) {
  const PhaseTimer timer(run.seconds.grid);
  std::array<float, range_factors> factors{};
  for (std::size_t c = 0; c < range_factors; ++c) factors[c] = 1 - static_cast<float>(c) / 20;
  std::vector<float> importance(run.columns), losses(run.rows * range_factors);
  const auto u = run.hessian.factor_view();
  for (std::size_t p = 0; p < run.columns; ++p) importance[p] = 1 / (u(p, p) * u(p, p));
  range_candidates(corrected, grid.first, grid.second, levels, importance, factors, losses, run.threads());
  CodedGrid fitted = grid;
  for (std::size_t i = 0; i < run.rows; ++i) {
    const auto own = losses.begin() + static_cast<std::ptrdiff_t>(i * range_factors);
    const auto best = std::min_element(own, own + static_cast<std::ptrdiff_t>(range_factors)) - own;
    fitted.first[i] = grid.first[i] * factors[static_cast<std::size_t>(best)];
  }
  return fitted;
}

/// `rounds` times tables and budget on the whole ranges, then `fits` times with every row's range fitted in between;
/// the best pass of all counts.
void quantize_by_tables(LayerRun& run, const Options& options, const CodedGrid& whole) {
  const std::size_t count = options.levels.size(), rounds = run.options.rounds + run.options.range_fits;
  CodedGrid grid = whole;
  std::vector<std::uint32_t> levels(run.columns, options.levels[uniform_option(options, run.columns)]);
  LayerCodes codes;
  AlignedBuffer<float> errors;
  std::vector<double> table(run.columns * count);
  for (std::size_t round = 0;; ++round) {
    run.report("quantize", 0.9 * static_cast<double>(round) / static_cast<double>(rounds + 1));
    if (run.control.should_stop() || !run.pass(grid, levels, codes, &errors)) return;
    if (round == 0) {
      run.sensitivities = codes.column_losses;
      run.gain = gain_of(run.sensitivities);
    }
    const bool last = round == rounds;
    if (!last) {
      const PhaseTimer timer(run.seconds.allocate);
      const auto u = run.hessian.factor_view();
      restore_weights(MatrixView<const float>(run.view(codes.values)), u, run.view(errors), run.threads());
      rounding_table(MatrixView<const float>(run.view(errors)), grid.first, grid.second, options.levels, table,
                     run.threads());
      for (std::size_t p = 0; p < run.columns; ++p) {
        const double pivot = static_cast<double>(u(p, p));
        for (std::size_t k = 0; k < count; ++k) table[p * count + k] /= pivot * pivot;
      }
    }
    keep(run, codes, options);
    if (last) return;
    std::vector<std::uint32_t> next = solve(run, options, table);
    const bool fits = run.options.range_fits > 0;
    if (next == levels && round < run.options.rounds) {
      if (!fits) return;
      round = run.options.rounds;  // nothing new comes on these ranges
    }
    levels = std::move(next);
    if (fits && round >= run.options.rounds) {
      grid = fit_ranges(run, whole, levels, MatrixView<const float>(run.view(errors)));
    }
  }
}

/// A column whose weights happen to lie on the uniform grid loses nothing there, but would without its bits: what the
/// model of uniform noise expects of it, range^2 / (12 U_jj^2) 4^-bits, is believed to a hundredth.
std::vector<double> plausible(const LayerRun& run, const CodedGrid& grid, std::uint32_t levels) {
  double squares = 0;
  for (const float range : grid.first) squares += static_cast<double>(range) * static_cast<double>(range);
  const double step = 1 / static_cast<double>(levels);
  std::vector<double> losses = run.sensitivities;
  for (std::size_t p = 0; p < run.columns; ++p) {
    bool zero = true;
    for (std::size_t i = 0; i < run.rows; ++i) zero = zero && run.w[i * run.columns + p] == 0;
    const double pivot = static_cast<double>(run.hessian.factor_view()(p, p));
    if (!zero) losses[p] = std::max(losses[p], 0.01 * squares * step * step / (24 * pivot * pivot));
  }
  return losses;
}

/// Losses fall as 4^-bits from what a uniform pass measured (exactly optimal under that model).
void quantize_by_bits(LayerRun& run, const Options& options, const CodedGrid& grid) {
  const std::size_t count = options.levels.size();
  const std::size_t uniform = uniform_option(options, run.columns);
  LayerCodes codes;
  run.report("quantize", 0);
  if (!run.pass(grid, std::vector<std::uint32_t>(run.columns, options.levels[uniform]), codes, nullptr)) return;
  run.sensitivities = codes.column_losses;
  run.gain = gain_of(run.sensitivities);
  keep(run, codes, options);
  const std::vector<double> losses = plausible(run, grid, options.levels[uniform]);
  std::vector<double> values(run.columns * count);
  for (std::size_t p = 0; p < run.columns; ++p) {
    for (std::size_t k = 0; k < count; ++k) {
      values[p * count + k] = std::ldexp(losses[p], -2 * static_cast<int>(k));
    }
  }
  std::vector<std::uint32_t> levels = solve(run, options, values);
  run.report("quantize", 0.45);
  if (run.control.should_stop() || !run.pass(grid, std::move(levels), codes, nullptr)) return;
  keep(run, codes, options);
}

/// The published code with its rule against "NaN": codes above 1000 become the code of the row's mean.
bool official_pass(LayerRun& run, const CodedGrid& grid, std::vector<std::uint32_t> levels, LayerCodes& codes) {
  const PhaseTimer timer(run.seconds.quantize);
  const std::size_t n = run.columns;
  std::vector<float> mean(run.rows);
  for (std::size_t i = 0; i < run.rows; ++i) {
    double sum = 0;
    for (std::size_t j = 0; j < n; ++j) sum += static_cast<double>(run.w[i * n + j]);
    mean[i] = static_cast<float>(sum / static_cast<double>(n));
  }
  codes.grid = grid;
  codes.levels = std::move(levels);
  codes.column_losses.assign(n, 0);
  codes.values = AlignedBuffer<float>(run.rows * n);
  std::copy(run.w.begin(), run.w.end(), codes.values.begin());
  const bool wide = *std::max_element(codes.levels.begin(), codes.levels.end()) > gptq_largest_levels;
  codes.wide.assign(wide ? run.rows * n : 0, 0);
  codes.codes = AlignedBuffer<std::uint8_t>(wide ? 0 : run.rows * n);
  const auto round = [&](std::size_t i, std::size_t j, float weight) {
    const WeightGrid here = weight_grid(grid, i, j, codes.levels[j]);
    float code = here.nearest(weight);
    if (code > static_cast<float>(official_largest_code)) code = here.nearest(mean[i]);
    if (wide) {
      codes.wide[i * n + j] = static_cast<std::uint16_t>(code);
    } else {
      codes.codes[i * n + j] = static_cast<std::uint8_t>(code);
    }
    return here.value(code);
  };
  if (!linalg::sequential_quantize(run.view(codes.values), run.hessian.factor_view(), codes.column_losses,
                                   run.threads(), &run.control, round)) {
    return false;
  }
  codes.loss = std::accumulate(codes.column_losses.begin(), codes.column_losses.end(), 0.0);
  return true;
}

/// Two passes; any number of levels by the measured losses of the first, and no budget.
void quantize_official(LayerRun& run, const CodedGrid& grid) {
  const std::size_t n = run.columns;
  const double bits = run.options.average_bits;
  const auto uniform = static_cast<std::uint32_t>(std::nearbyint(std::exp2(bits)));
  LayerCodes codes;
  run.report("quantize", 0);
  if (!official_pass(run, grid, std::vector<std::uint32_t>(n, uniform), codes)) return;
  run.sensitivities = codes.column_losses;
  double logarithms = 0;
  for (const double loss : run.sensitivities) logarithms += std::log(loss + official_epsilon);
  const double mean = codes.loss / static_cast<double>(n);
  const double geometric = std::exp(logarithms / static_cast<double>(n));
  run.gain = geometric / mean;
  std::vector<std::uint32_t> levels(n);
  for (std::size_t p = 0; p < n; ++p) {
    const double wanted = std::pow(run.sensitivities[p] / geometric, 1 / official_theta) * std::exp2(bits);
    levels[p] = static_cast<std::uint32_t>(std::nearbyint(std::clamp(wanted, 1.0, static_cast<double>(most_levels))));
  }
  run.report("quantize", 0.45);
  LayerCodes second;
  // It answers with its second pass, even where that is the worse one.
  run.best = std::move(official_pass(run, grid, std::move(levels), second) ? second : codes);
}

}  // namespace

void quantize_allocated(LayerRun& run) {
  const Options options = options_of(run);
  CodedGrid grid;
  {
    const PhaseTimer timer(run.seconds.grid);
    grid = run.range_grid(options.levels[uniform_option(options, run.columns)]);
  }
  switch (run.options.allocation) {
    case Allocation::official:
      quantize_official(run, grid);
      break;
    case Allocation::integer:
      quantize_by_bits(run, options, grid);
      break;
    case Allocation::table:
    case Allocation::levels:
      quantize_by_tables(run, options, grid);
      break;
  }
  if (run.finished()) return;
  // Stopped before any pass that fits the budget.
  const std::size_t option = uniform_option(options, run.columns);
  const bool fits = options.costs[option] * static_cast<std::int64_t>(run.columns) <= options.budget;
  run.round_to_nearest(grid, std::vector<std::uint32_t>(run.columns, options.levels[fits ? option : 0]));
}

}  // namespace dd::quantize
