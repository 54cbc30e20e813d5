// Rounding of rows column by column, each error made good by the columns behind it (GPTQ, or nearest plane), for any
// rounding rule: what several rooms need. One column after the other, every correction made at once (block size 1).
#pragma once

#include <atomic>
#include <cstddef>
#include <span>
#include <vector>

#include "core/matrix_view.hpp"
#include "core/run_control.hpp"
#include "core/thread_pool.hpp"

namespace dd::linalg {

/// w becomes Q. `round(i, j, weight)` stores the code of element (i, j) and returns its value. w: rows x columns,
/// row-major, in processing order; u: U of U^T U = H^-1 (inverse_factor.hpp), row-major; column_losses: columns, half
/// the sums of squared errors over U_jj. False when `control` stopped it; w is then unspecified. Rows are independent,
/// so results do not depend on `threads`; no multiply-add is fused.
template <class Round>
bool sequential_quantize(MatrixView<float> w, MatrixView<const float> u, std::span<double> column_losses,
                         std::size_t threads, const RunControl* control, const Round& round) {
  // A piece of rows reads U from the cache once and not once a row.
  constexpr std::size_t piece = 8;
  const std::size_t columns = w.columns, pieces = (w.rows + piece - 1) / piece;
  std::vector<double> squares(pieces * columns, 0);
  std::atomic<bool> stopped{false};
  parallel_for(threads, w.rows, piece, [&](std::size_t begin, std::size_t end) {
    double* const sums = squares.data() + begin / piece * columns;
    for (std::size_t j = 0; j < columns; ++j) {
      if (j % 64 == 0 && control != nullptr && control->should_stop()) {
        stopped = true;
        return;
      }
      const float* const factor = &u(j, 0);
      for (std::size_t i = begin; i < end; ++i) {
        float* const row = &w(i, 0);
        const float value = round(i, j, row[j]);
        const float error = (row[j] - value) / factor[j];
        row[j] = value;
        sums[j] += static_cast<double>(error) * static_cast<double>(error);
        for (std::size_t k = j + 1; k < columns; ++k) row[k] -= error * factor[k];
      }
    }
  });
  if (stopped) return false;
  for (std::size_t j = 0; j < columns; ++j) {
    double sum = 0;
    for (std::size_t p = 0; p < pieces; ++p) sum += squares[p * columns + j];
    column_losses[j] = sum / 2;
  }
  return true;
}

}  // namespace dd::linalg
