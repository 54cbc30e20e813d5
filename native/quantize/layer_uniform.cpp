// GPTQ with the same number of levels in all columns: grids per row, per group (found on the way or before), per
// tensor.
#include <algorithm>
#include <numeric>
#include <utility>

#include "linalg/gemm.hpp"
#include "quantize/layer_run.hpp"

namespace dd::quantize {
namespace {

std::vector<double> diagonal_of(const LayerRun& run, bool stored_order) {
  std::vector<double> diagonal(run.columns);
  for (std::size_t p = 0; p < run.columns; ++p) {
    diagonal[stored_order ? run.hessian.order[p] : p] = run.hessian.matrix_view()(p, p);
  }
  return diagonal;
}

GridRule rule_of(const LayerOptions& options) {
  const std::uint32_t levels = options.ternary ? 3 : 1U << static_cast<unsigned>(options.average_bits);
  return {levels, options.symmetry, options.search, options.ternary, options.per_tensor};
}

/// Grids found before the first column: one for all columns, from the weights as given (dead columns included, as the
/// published code does), or one per group of stored columns without the dead ones.
CodedGrid static_grid(const LayerRun& run) {
  const LayerOptions& options = run.options;
  const GridRule rule = rule_of(options);
  const std::vector<double> diagonal = diagonal_of(run, true);
  const std::size_t n = run.columns, size = options.group_size == 0 ? n : options.group_size;
  CodedGrid grid;
  grid.kind = options.ternary ? GridKind::ternary : GridKind::scale;
  grid.groups = (n + size - 1) / size;
  grid.first.resize(run.rows * grid.groups);
  grid.second.resize(run.rows * grid.groups);
  AlignedBuffer<float> stored;
  MatrixView<const float> w = run.given;
  if (options.group_size != 0) {
    stored = AlignedBuffer<float>(run.rows * n);
    for (std::size_t i = 0; i < run.rows; ++i) {
      for (std::size_t p = 0; p < n; ++p) stored[i * n + run.hessian.order[p]] = run.w[i * n + p];
    }
    w = MatrixView<const float>::row_major(stored.data(), run.rows, n);
    for (std::size_t p = 0; p < n; ++p) grid.group.push_back(run.hessian.order[p] / static_cast<std::uint32_t>(size));
  }
  for (std::size_t g = 0; g < grid.groups; ++g) {
    const std::size_t first = g * size, width = std::min(size, n - first);
    find_grid(w.block(0, first, run.rows, width), std::span<const double>(diagonal).subspan(first, width), rule,
              grid.first.data() + g, grid.second.data() + g, grid.groups, run.threads());
  }
  return grid;
}

/// Groups of consecutive columns in processing order, each grid from the weights as corrected so far. Blocks are
/// groups, or `block_columns` wide: then a group sees only the corrections made before the block it begins in.
class DynamicGroups {
 public:
  explicit DynamicGroups(LayerRun& run)
      : run_(run),
        size_(run.options.group_size),
        rule_(rule_of(run.options)),
        diagonal_(diagonal_of(run, false)),
        current_(run.rows * run.columns) {
    std::copy(run.w.begin(), run.w.end(), current_.begin());
    LayerCodes& codes = result_;
    codes.grid.groups = (run.columns + size_ - 1) / size_;
    codes.grid.first.resize(run.rows * codes.grid.groups);
    codes.grid.second.resize(run.rows * codes.grid.groups);
    for (std::size_t p = 0; p < run.columns; ++p) {
      codes.grid.group.push_back(static_cast<std::uint32_t>(p / size_));
    }
    codes.levels.assign(run.columns, rule_.levels);
    codes.column_losses.assign(run.columns, 0);
    codes.codes = AlignedBuffer<std::uint8_t>(run.rows * run.columns);
    codes.values = AlignedBuffer<float>(run.rows * run.columns);
  }

  /// False when it was stopped.
  bool quantise() {
    const std::size_t n = run_.columns, block = run_.options.exact_groups ? size_ : run_.options.block_columns;
    errors_ = AlignedBuffer<float>(run_.rows * std::min(block, n));
    for (std::size_t first = 0; first < n; first += block) {
      const std::size_t width = std::min(block, n - first);
      for (std::size_t g = (first + size_ - 1) / size_; g * size_ < first + width; ++g) find(g);
      if (!quantise(first, width)) return false;
      run_.report("quantize", static_cast<double>(first + width) / static_cast<double>(n));
    }
    result_.loss = std::accumulate(result_.column_losses.begin(), result_.column_losses.end(), 0.0);
    return true;
  }
  LayerCodes take() noexcept { return std::move(result_); }

 private:
  void find(std::size_t g) {
    const std::size_t first = g * size_, width = std::min(size_, run_.columns - first);
    CodedGrid& grid = result_.grid;
    find_grid(MatrixView<const float>(run_.view(current_)).block(0, first, run_.rows, width),
              std::span<const double>(diagonal_).subspan(first, width), rule_, grid.first.data() + g,
              grid.second.data() + g, grid.groups, run_.threads());
  }

  bool quantise(std::size_t first, std::size_t width) {
    const std::size_t rows = run_.rows, n = run_.columns, behind = n - first - width;
    const CodedGrid& grid = result_.grid;
    const auto block = [&](auto view) { return view.block(0, first, rows, width); };
    // The groups of this block alone: those that are not found yet have no grid.
    const std::size_t own = grid.group[first], groups = grid.group[first + width - 1] - own + 1;
    std::vector<std::uint32_t> group(width);
    for (std::size_t p = 0; p < width; ++p) group[p] = grid.group[first + p] - static_cast<std::uint32_t>(own);
    const auto grids_of = [&](const std::vector<float>& values) {
      return MatrixView<const float>::row_major(values.data(), rows, grid.groups).block(0, own, rows, groups);
    };
    const GptqGrids grids{
        GptqGridForm::scale_and_zero, grids_of(grid.first), grids_of(grid.second), group, {&rule_.levels, 1}};
    const auto errors = MatrixView<float>::row_major(errors_.data(), rows, width);
    const GptqOutputs outputs{block(run_.view(result_.codes)), block(run_.view(result_.values)), errors,
                              std::span<double>(result_.column_losses).subspan(first, width)};
    const auto u = run_.hessian.factor_view();
    const GptqOptions how{run_.threads(), &run_.control, &run_.workspace};
    if (gptq_quantize(block(MatrixView<const float>(run_.view(current_))), u.block(first, first, width, width), grids,
                      outputs, how) < width) {
      return false;
    }
    if (behind > 0) {
      linalg::gemm<float>(-1.0f, errors, u.block(first, first + width, width, behind), 1.0f,
                          run_.view(current_).block(0, first + width, rows, behind), run_.threads());
    }
    return true;
  }

  LayerRun& run_;
  std::size_t size_;
  GridRule rule_;
  std::vector<double> diagonal_;
  AlignedBuffer<float> current_, errors_;
  LayerCodes result_;
};

}  // namespace

void quantize_uniform(LayerRun& run) {
  const LayerOptions& options = run.options;
  run.report("quantize", 0);
  if (!options.levels.empty()) {
    std::vector<std::uint32_t> levels(run.columns);
    for (std::size_t p = 0; p < run.columns; ++p) levels[p] = options.levels[run.hessian.order[p]];
    const bool wide = *std::max_element(levels.begin(), levels.end()) > gptq_largest_wide_levels;
    const CodedGrid grid = run.range_grid(run.weights(), gptq_largest_levels);
    LayerCodes codes;
    if (wide ? run.wide_pass(grid, levels, codes) : run.pass(grid, levels, codes, nullptr)) {
      run.best = std::move(codes);
    } else {
      for (std::uint32_t& count : levels) count = std::min<std::uint32_t>(count, gptq_largest_levels);
      run.round_to_nearest(grid, std::move(levels));
    }
    return;
  }
  if (options.group_size != 0 && !options.static_groups) {
    const PhaseTimer timer(run.seconds.quantize);
    DynamicGroups groups(run);
    if (groups.quantise()) {
      run.best = groups.take();
      return;
    }
  }
  CodedGrid grid;
  {
    const PhaseTimer timer(run.seconds.grid);
    grid = static_grid(run);
  }
  std::vector<std::uint32_t> levels(run.columns, rule_of(options).levels);
  LayerCodes codes;
  const bool done = !run.control.should_stop() &&
                    (options.ternary ? run.wide_pass(grid, levels, codes) : run.pass(grid, levels, codes, nullptr));
  if (done) {
    run.best = std::move(codes);
  } else {
    run.round_to_nearest(grid, std::move(levels));
  }
}

}  // namespace dd::quantize
