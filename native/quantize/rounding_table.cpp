// Tables of rounding losses: tasks of rows and columns around the kernel.
#include "quantize/rounding_table.hpp"

#include <algorithm>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "core/thread_pool.hpp"
#include "quantize/grid.hpp"
#include "quantize/rounding_table_isa.hpp"

namespace dd::quantize {

void restore_weights(MatrixView<const float> quantized, MatrixView<const float> u, MatrixView<float> errors,
                     std::size_t threads) {
  const std::size_t columns = quantized.columns;
  std::vector<float> pivot(columns);
  for (std::size_t j = 0; j < columns; ++j) pivot[j] = u(j, j);
  parallel_for(threads, quantized.rows, 16, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const float* const q = &quantized(i, 0);
      float* const e = &errors(i, 0);
      for (std::size_t j = 0; j < columns; ++j) e[j] = q[j] + e[j] * pivot[j];
    }
  });
}

void rounding_table(MatrixView<const float> w, std::span<const float> range, std::span<const float> ratio,
                    std::span<const std::uint32_t> levels, std::span<double> table, std::size_t threads) {
  const std::size_t options = levels.size(), rows = w.rows;
  if (options == 0) return;
  std::vector<float> largest(options);
  for (std::size_t k = 0; k < options; ++k) largest[k] = static_cast<float>(levels[k] - 1);
  std::vector<RoundingGrid> grids(rows * options);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t k = 0; k < options; ++k) {
      const float scale = range[i] / largest[k];
      grids[i * options + k] =
          levels[k] <= 1 ? RoundingGrid{0, 0, 0} : RoundingGrid{scale, 1 / scale, round_code(ratio[i] * largest[k])};
    }
  }
  const auto panel_kernel = rounding_table_panel.at(active_isa());
  parallel_for(threads, w.columns, rounding_panel_columns, [&](std::size_t begin, std::size_t end) {
    AlignedBuffer<float> panel(rounding_panel_rows * rounding_panel_columns, 0.0f);
    AlignedBuffer<float> sums(options * rounding_panel_columns);
    std::fill_n(table.data() + begin * options, (end - begin) * options, 0.0);
    for (std::size_t first = 0; first < rows; first += rounding_panel_rows) {
      const std::size_t count = std::min(rounding_panel_rows, rows - first);
      for (std::size_t i = 0; i < count; ++i) {
        std::copy_n(&w(first + i, begin), end - begin, panel.data() + i * rounding_panel_columns);
      }
      const RoundingTableArguments arguments{count,          options,    panel.data(), grids.data() + first * options,
                                             largest.data(), sums.data()};
      panel_kernel(&arguments);
      for (std::size_t j = begin; j < end; ++j) {
        for (std::size_t k = 0; k < options; ++k) {
          table[j * options + k] += static_cast<double>(sums[k * rounding_panel_columns + j - begin]);
        }
      }
    }
  });
}

}  // namespace dd::quantize
