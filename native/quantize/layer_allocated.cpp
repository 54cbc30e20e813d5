// BAQ: how many levels each column gets. A uniform pass measures what columns cost, an allocation spends the budget,
// another pass quantises with it (arXiv 2506.05664).
#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

#include "core/error.hpp"
#include "linalg/sequential_rounding.hpp"
#include "quantize/allocate.hpp"
#include "quantize/knapsack.hpp"
#include "quantize/layer_budget.hpp"
#include "quantize/layer_run.hpp"
#include "quantize/layer_sample.hpp"
#include "quantize/rounding_table.hpp"

namespace dd::quantize {
namespace {

// Constants of the published code.
constexpr double official_theta = 1.95, official_epsilon = 1e-8;
constexpr std::uint32_t official_largest_code = 1000, most_levels = 65536;

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
bool keep(LayerRun& run, LayerCodes& codes, const LevelOptions& options) {
  std::int64_t cost = 0;
  for (const std::uint32_t count : codes.levels) cost += options.cost_of(count);
  if (cost > options.budget || !(codes.loss < run.best.loss)) return false;
  std::swap(run.best, codes);
  return true;
}

/// values: columns x options. Dead columns cost nothing and get the first option.
std::vector<std::uint32_t> solve(LayerRun& run, const LevelOptions& options, std::span<double> values) {
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

/// Whether groups get their ranges from the weights as the pass before corrected them.
bool moving_ranges(const LayerRun& run, const CodedGrid& grid) { return grid.groups > 1 && !run.options.static_groups; }

/// Rounds [first, last] of all: up to LayerOptions::rounds tables and budget on whole ranges, then with every row's
/// range fitted in between.
struct Rounds {
  std::size_t first, last;
};

/// A pass with `levels`, then tables, budget and another pass, round after round; the best pass of all counts.
void quantize_by_tables(LayerRun& run, const LevelOptions& options, const CodedGrid& start,
                        std::vector<std::uint32_t> levels, Rounds rounds) {
  const std::size_t count = options.levels.size(), all = run.options.rounds + run.options.range_fits;
  const std::uint32_t uniform = options.levels[options.uniform(run.columns)];
  const bool moving = moving_ranges(run, start), fits = rounds.last > run.options.rounds;
  CodedGrid whole = start, grid = start;
  LayerCodes codes;
  AlignedBuffer<float>& errors = run.last_errors;
  std::vector<double> table(run.columns * count);
  for (std::size_t round = rounds.first;; ++round) {
    run.report("quantize", 0.9 * static_cast<double>(round) / static_cast<double>(all + 1));
    if (run.control.should_stop() || !run.pass(grid, levels, codes, &errors)) return;
    if (round == 0) {
      run.sensitivities = codes.column_losses;
      run.gain = gain_of(run.sensitivities);
    }
    const bool last = round == rounds.last;
    const auto corrected = MatrixView<const float>(run.view(errors));
    if (!last) {
      restore_weights(MatrixView<const float>(run.view(codes.values)), run.hessian.factor_view(), run.view(errors),
                      run.threads());
      if (moving) {
        whole = run.range_grid(corrected, uniform);
        if (round < run.options.rounds) grid = whole;
      }
      run.measure(grid, corrected, options.levels, table);
    }
    const bool better = keep(run, codes, options);
    if (last) {
      run.errors_of_best = better;
      return;
    }
    std::vector<std::uint32_t> next = solve(run, options, table);
    if (next == levels && !moving && round < run.options.rounds) {
      if (!fits) return;
      round = run.options.rounds;  // nothing new comes on these ranges
    }
    levels = std::move(next);
    if (fits && round >= run.options.rounds) grid = run.fitted_grid(whole, levels, corrected);
  }
}

/// All rounds; those on whole ranges on a sample of the rows where there are many, but the last table on all of them:
/// what a sample allocates alone loses some percent.
void quantize_by_tables(LayerRun& run, const LevelOptions& options, const CodedGrid& start) {
  const std::size_t rounds = run.options.rounds, all = rounds + run.options.range_fits;
  std::vector<std::uint32_t> levels(run.columns, options.levels[options.uniform(run.columns)]);
  std::optional<RowSample> sample = sample_rows(run, start);
  if (!sample) {
    quantize_by_tables(run, options, start, std::move(levels), {0, all});
    return;
  }
  LayerRun few{run.options, run.control, run.given, sample->rows, run.columns, run.hessian, std::move(sample->w),
               {},          {},          1,         run.seconds,  {}};
  const std::size_t sampled = std::min(rounds, all - 1);
  quantize_by_tables(few, options, sample->grid, std::move(levels), {0, sampled});
  run.seconds = few.seconds;
  run.workspace = std::move(few.workspace);  // with the packed factor
  run.sensitivities = std::move(few.sensitivities);
  run.gain = few.gain;
  if (!few.finished()) return;
  quantize_by_tables(run, options, start, std::move(few.best.levels), {sampled, all});
}

/// A column whose weights happen to lie on the uniform grid loses nothing there, but would without its bits: what the
/// model of uniform noise expects of it, range^2 / (12 U_jj^2) 4^-bits, is believed to a hundredth.
std::vector<double> plausible(const LayerRun& run, const CodedGrid& grid, std::uint32_t levels) {
  std::vector<double> squares(grid.groups, 0.0);
  for (std::size_t at = 0; at < grid.first.size(); ++at) {
    squares[at % grid.groups] += static_cast<double>(grid.first[at]) * static_cast<double>(grid.first[at]);
  }
  const double step = 1 / static_cast<double>(levels);
  std::vector<double> losses = run.sensitivities;
  for (std::size_t p = 0; p < run.columns; ++p) {
    bool zero = true;
    for (std::size_t i = 0; i < run.rows; ++i) zero = zero && run.w[i * run.columns + p] == 0;
    const double pivot = static_cast<double>(run.hessian.factor_view()(p, p));
    if (!zero) losses[p] = std::max(losses[p], 0.01 * squares[grid.group_of(p)] * step * step / (24 * pivot * pivot));
  }
  return losses;
}

/// Losses fall as 4^-bits from what a uniform pass measured (exactly optimal under that model).
void quantize_by_bits(LayerRun& run, const LevelOptions& options, const CodedGrid& start) {
  const std::size_t count = options.levels.size();
  const std::uint32_t uniform = options.levels[options.uniform(run.columns)];
  const bool moving = moving_ranges(run, start);
  CodedGrid grid = start;
  LayerCodes codes;
  AlignedBuffer<float>& errors = run.last_errors;
  run.report("quantize", 0);
  if (!run.pass(grid, std::vector<std::uint32_t>(run.columns, uniform), codes, moving ? &errors : nullptr)) return;
  if (moving) {
    restore_weights(MatrixView<const float>(run.view(codes.values)), run.hessian.factor_view(), run.view(errors),
                    run.threads());
    grid = run.range_grid(MatrixView<const float>(run.view(errors)), uniform);
  }
  run.sensitivities = codes.column_losses;
  run.gain = gain_of(run.sensitivities);
  keep(run, codes, options);
  const std::vector<double> losses = plausible(run, grid, uniform);
  std::vector<double> values(run.columns * count);
  for (std::size_t p = 0; p < run.columns; ++p) {
    for (std::size_t k = 0; k < count; ++k) {
      values[p * count + k] = std::ldexp(losses[p], -2 * static_cast<int>(k));
    }
  }
  std::vector<std::uint32_t> levels = solve(run, options, values);
  run.report("quantize", 0.45);
  if (run.control.should_stop() || !run.pass(grid, std::move(levels), codes, &errors)) return;
  run.errors_of_best = keep(run, codes, options);
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
  const LevelOptions options = level_options_of(run.options, run.rows, run.columns);
  CodedGrid grid;
  {
    const PhaseTimer timer(run.seconds.grid);
    grid = run.range_grid(run.weights(), options.levels[options.uniform(run.columns)]);
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
  const std::size_t option = options.uniform(run.columns);
  const bool fits = options.costs[option] * static_cast<std::int64_t>(run.columns) <= options.budget;
  run.round_to_nearest(grid, std::vector<std::uint32_t>(run.columns, options.levels[fits ? option : 0]));
}

}  // namespace dd::quantize
