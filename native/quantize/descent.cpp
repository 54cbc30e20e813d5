// Descent on codes: a few rows a task around the kernel.
#include "quantize/descent.hpp"

#include <algorithm>

#include "core/aligned_buffer.hpp"
#include "core/thread_pool.hpp"
#include "quantize/descent_isa.hpp"

namespace dd::quantize {
namespace {

// Gradients of the rows of a task stay in the second cache up to some 4000 columns.
constexpr std::size_t descent_rows_per_task = 32;

DescentGrid form_of(GridKind kind) noexcept {
  switch (kind) {
    case GridKind::range:
      return DescentGrid::range_and_ratio;
    case GridKind::ternary:
      return DescentGrid::low_and_high;
    case GridKind::scale:
      break;
  }
  return DescentGrid::scale_and_zero;
}

/// Each column's own number, for rows [begin, begin + rows).
void spread(const CodedGrid& grid, const std::vector<float>& of_groups, std::size_t begin, std::size_t rows,
            std::size_t columns, std::size_t padded, float* to) {
  for (std::size_t i = 0; i < rows; ++i) {
    const float* const from = of_groups.data() + (begin + i) * grid.groups;
    for (std::size_t j = 0; j < columns; ++j) to[i * padded + j] = from[grid.group_of(j)];
  }
}

}  // namespace

void descend(MatrixView<const float> hessian, const CodedGrid& grid, std::size_t grid_row,
             std::span<const std::uint32_t> levels, MatrixView<float> gradient, MatrixView<float> quantized,
             MatrixView<std::uint8_t> codes, std::size_t sweeps, std::size_t threads, RunControl* control) {
  const std::size_t columns = hessian.columns;
  const std::size_t padded = (columns + descent_lanes - 1) / descent_lanes * descent_lanes;
  AlignedBuffer<float> curvature(padded, 1.0f), inverse(padded, 1.0f), largest(padded, 0.0f), divisor(padded, 1.0f);
  for (std::size_t j = 0; j < columns; ++j) {
    curvature[j] = hessian(j, j);
    inverse[j] = 1 / curvature[j];
    largest[j] = static_cast<float>(levels[j] - 1);
    divisor[j] = std::max(largest[j], 1.0f);
  }
  const bool per_column = grid.groups > 1;
  const auto kernel = descent_sweep.at(active_isa());
  parallel_for(threads, quantized.rows, descent_rows_per_task, [&](std::size_t begin, std::size_t end) {
    if (control != nullptr && control->should_stop()) return;
    const std::size_t rows = end - begin;
    AlignedBuffer<float> first(per_column ? rows * padded : 0, 1.0f), second(per_column ? rows * padded : 0, 1.0f);
    if (per_column) {
      spread(grid, grid.first, grid_row + begin, rows, columns, padded, first.data());
      spread(grid, grid.second, grid_row + begin, rows, columns, padded, second.data());
    }
    const DescentArguments arguments{rows,
                                     columns,
                                     hessian.data,
                                     &gradient(begin, 0),
                                     &quantized(begin, 0),
                                     &codes(begin, 0),
                                     curvature.data(),
                                     inverse.data(),
                                     largest.data(),
                                     divisor.data(),
                                     form_of(grid.kind),
                                     per_column ? first.data() : grid.first.data() + grid_row + begin,
                                     per_column ? second.data() : grid.second.data() + grid_row + begin,
                                     per_column ? padded : 1,
                                     per_column};
    for (std::size_t s = 0; s < sweeps && kernel(&arguments) > 0; ++s) {
    }
  });
}

}  // namespace dd::quantize
