// Where BAQ's grids begin and end: ranges of rows, or of rows and groups of columns, and what they are worth between
// passes.
#include <algorithm>
#include <array>
#include <vector>

#include "quantize/layer_run.hpp"
#include "quantize/range_candidates.hpp"
#include "quantize/rounding_table.hpp"

namespace dd::quantize {
namespace {

// Parts of a range that are tried: 1, 0.95 ... 0.25.
constexpr std::size_t range_factors = 16;

/// Columns in an order in which every group is a run of them: processing order, or stored order where groups are of
/// stored columns.
class GroupedColumns {
 public:
  explicit GroupedColumns(const LayerRun& run)
      : rows_(run.rows),
        columns_(run.columns),
        size_(run.options.group_size == 0 ? run.columns : std::min(run.options.group_size, run.columns)) {
    if (groups() == 1 || !run.options.static_groups || !run.options.act_order) return;
    position_.resize(columns_);
    for (std::size_t p = 0; p < columns_; ++p) position_[run.hessian.order[p]] = static_cast<std::uint32_t>(p);
  }

  std::size_t groups() const noexcept { return (columns_ + size_ - 1) / size_; }
  std::size_t first(std::size_t group) const noexcept { return group * size_; }
  std::size_t width(std::size_t group) const noexcept { return std::min(size_, columns_ - first(group)); }
  /// Place in processing order of what is at `at` here.
  std::size_t position(std::size_t at) const noexcept { return position_.empty() ? at : position_[at]; }

  std::vector<std::uint32_t> group_of_position() const {
    std::vector<std::uint32_t> group(groups() == 1 ? 0 : columns_);
    for (std::size_t at = 0; at < group.size(); ++at) {
      group[position(at)] = static_cast<std::uint32_t>(at / size_);
    }
    return group;
  }
  /// `w`, which has its columns in processing order, in this one; in `memory` where that is another.
  MatrixView<const float> gather(MatrixView<const float> w, AlignedBuffer<float>& memory) const {
    if (position_.empty()) return w;
    memory.reserve_discarding(rows_ * columns_);
    for (std::size_t i = 0; i < rows_; ++i) {
      for (std::size_t at = 0; at < columns_; ++at) memory[i * columns_ + at] = w(i, position_[at]);
    }
    return MatrixView<const float>::row_major(memory.data(), rows_, columns_);
  }

 private:
  std::size_t rows_, columns_, size_;
  std::vector<std::uint32_t> position_;
};

/// Ranges or ratios of one group.
std::vector<float> of_group(const CodedGrid& grid, const std::vector<float>& values, std::size_t group) {
  std::vector<float> own(values.size() / grid.groups);
  for (std::size_t i = 0; i < own.size(); ++i) own[i] = values[i * grid.groups + group];
  return own;
}

}  // namespace

CodedGrid LayerRun::range_grid(MatrixView<const float> from, std::uint32_t levels) const {
  const GroupedColumns order(*this);
  CodedGrid grid;
  grid.kind = GridKind::range;
  grid.groups = order.groups();
  grid.group = order.group_of_position();
  grid.first.resize(rows * grid.groups);
  grid.second.resize(rows * grid.groups);
  std::vector<double> diagonal(options.search == GridSearch::hessian ? columns : 0);
  for (std::size_t at = 0; at < diagonal.size(); ++at) {
    const std::size_t p = order.position(at);
    diagonal[at] = hessian.matrix_view()(p, p);
  }
  const GridRule rule{levels, options.symmetry, options.search, false, false};
  AlignedBuffer<float> memory;
  const MatrixView<const float> ordered = order.gather(from, memory);
  for (std::size_t g = 0; g < grid.groups; ++g) {
    const std::size_t first = order.first(g), width = order.width(g);
    const std::span<const double> own = diagonal;
    find_ranges(ordered.block(0, first, rows, width), own.empty() ? own : own.subspan(first, width), rule,
                grid.first.data() + g, grid.second.data() + g, grid.groups, threads());
  }
  if (grid.groups > 1) {
    for (float& range : grid.first) range = stored_range(range);
    for (float& ratio : grid.second) ratio = stored_ratio(ratio);
  }
  return grid;
}

CodedGrid LayerRun::fitted_grid(const CodedGrid& whole, std::span<const std::uint32_t> levels,
                                MatrixView<const float> corrected) {
  const PhaseTimer timer(seconds.grid);
  const GroupedColumns order(*this);
  std::array<float, range_factors> factors{};
  for (std::size_t c = 0; c < range_factors; ++c) factors[c] = 1 - static_cast<float>(c) / 20;
  AlignedBuffer<float> memory;
  const MatrixView<const float> ordered = order.gather(corrected, memory);
  const auto u = hessian.factor_view();
  std::vector<float> importance(columns), losses(rows * range_factors);
  std::vector<std::uint32_t> counts(columns);
  for (std::size_t at = 0; at < columns; ++at) {
    const std::size_t p = order.position(at);
    importance[at] = 1 / (u(p, p) * u(p, p));
    counts[at] = levels[p];
  }
  CodedGrid fitted = whole;
  for (std::size_t g = 0; g < whole.groups; ++g) {
    const std::size_t first = order.first(g), width = order.width(g);
    range_candidates(ordered.block(0, first, rows, width), of_group(whole, whole.first, g),
                     of_group(whole, whole.second, g), std::span<const std::uint32_t>(counts).subspan(first, width),
                     std::span<const float>(importance).subspan(first, width), factors, losses, threads());
    for (std::size_t i = 0; i < rows; ++i) {
      const auto own = losses.begin() + static_cast<std::ptrdiff_t>(i * range_factors);
      const auto least = std::min_element(own, own + static_cast<std::ptrdiff_t>(range_factors)) - own;
      float& range = fitted.first[i * whole.groups + g];
      range *= factors[static_cast<std::size_t>(least)];
      if (whole.groups > 1) range = stored_range(range);
    }
  }
  return fitted;
}

void LayerRun::measure(const CodedGrid& grid, MatrixView<const float> corrected, std::span<const std::uint32_t> levels,
                       std::span<double> table) {
  const PhaseTimer timer(seconds.allocate);
  const GroupedColumns order(*this);
  const std::size_t count = levels.size();
  AlignedBuffer<float> memory;
  const MatrixView<const float> ordered = order.gather(corrected, memory);
  const auto u = hessian.factor_view();
  std::vector<double> losses(columns * count);
  for (std::size_t g = 0; g < grid.groups; ++g) {
    const std::size_t first = order.first(g), width = order.width(g);
    rounding_table(ordered.block(0, first, rows, width), of_group(grid, grid.first, g), of_group(grid, grid.second, g),
                   levels, std::span<double>(losses).subspan(first * count, width * count), threads());
  }
  for (std::size_t at = 0; at < columns; ++at) {
    const std::size_t p = order.position(at);
    const double pivot = static_cast<double>(u(p, p));
    for (std::size_t k = 0; k < count; ++k) table[p * count + k] = losses[at * count + k] / (pivot * pivot);
  }
}

}  // namespace dd::quantize
