// Tables of rounding losses: tasks of rows and columns around the kernel.
#include "quantize/rounding_table.hpp"

#include <algorithm>
#include <vector>

#include "core/thread_pool.hpp"
#include "quantize/grid.hpp"

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
  const std::size_t count = levels.size();
  constexpr std::size_t columns_per_task = 64;
  parallel_for(threads, w.columns, columns_per_task, [&](std::size_t begin, std::size_t end) {
    std::fill(table.begin() + static_cast<std::ptrdiff_t>(begin * count),
              table.begin() + static_cast<std::ptrdiff_t>(end * count), 0.0);
    for (std::size_t i = 0; i < w.rows; ++i) {
      for (std::size_t k = 0; k < count; ++k) {
        const auto largest = static_cast<float>(levels[k] - 1);
        const WeightGrid grid = levels[k] <= 1
                                    ? WeightGrid{1, 0, 0}
                                    : WeightGrid{range[i] / largest, round_code(ratio[i] * largest), largest};
        for (std::size_t j = begin; j < end; ++j) {
          const float error = w(i, j) - grid.value(grid.nearest(w(i, j)));
          table[j * count + k] += static_cast<double>(error * error);
        }
      }
    }
  });
}

}  // namespace dd::quantize
