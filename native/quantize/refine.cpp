// Coordinate descent and scale refit, a block of rows at a time so that memory stays small.
#include "quantize/refine.hpp"

#include <algorithm>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "core/thread_pool.hpp"
#include "linalg/gemm.hpp"

namespace dd::quantize {
namespace {

constexpr std::size_t block_rows = 256;
constexpr std::size_t rows_per_task = 4;
constexpr double smallest_scale = 0.5, largest_scale = 2;

double dot(const double* a, const double* b, std::size_t count) noexcept {
  // Four chains in a fixed order: one chain would wait for its own additions.
  double part[4] = {0, 0, 0, 0};
  std::size_t j = 0;
  for (; j + 4 <= count; j += 4) {
    for (std::size_t p = 0; p < 4; ++p) part[p] += a[j + p] * b[j + p];
  }
  for (; j < count; ++j) part[0] += a[j] * b[j];
  return (part[0] + part[1]) + (part[2] + part[3]);
}

/// (W - Q) and (W - Q) Hd of a block of rows.
class Residual {
 public:
  Residual(std::size_t rows, MatrixView<const double> hessian)
      : columns_(hessian.columns), hessian_(hessian), difference_(rows * columns_), gradient_(rows * columns_) {}

  void compute(MatrixView<const float> w, MatrixView<const float> q, std::size_t threads) {
    for (std::size_t i = 0; i < w.rows; ++i) {
      for (std::size_t j = 0; j < columns_; ++j) {
        difference_[i * columns_ + j] = static_cast<double>(w(i, j)) - static_cast<double>(q(i, j));
      }
    }
    multiply(w.rows, threads);
  }
  /// The same of Q alone.
  void compute(MatrixView<const float> q, std::size_t threads) {
    for (std::size_t i = 0; i < q.rows; ++i) {
      for (std::size_t j = 0; j < columns_; ++j) difference_[i * columns_ + j] = static_cast<double>(q(i, j));
    }
    multiply(q.rows, threads);
  }
  double* difference(std::size_t i) noexcept { return difference_.data() + i * columns_; }
  double* gradient(std::size_t i) noexcept { return gradient_.data() + i * columns_; }
  double product(std::size_t i) noexcept { return dot(difference(i), gradient(i), columns_); }

 private:
  void multiply(std::size_t rows, std::size_t threads) {
    linalg::gemm<double>(1.0, MatrixView<const double>::row_major(difference_.data(), rows, columns_), hessian_, 0.0,
                         MatrixView<double>::row_major(gradient_.data(), rows, columns_), threads);
  }
  std::size_t columns_;
  MatrixView<const double> hessian_;
  AlignedBuffer<double> difference_, gradient_;
};

/// One sweep over a row; false when nothing changed.
bool sweep(std::size_t row, float* q, std::uint8_t* codes, std::span<const std::uint32_t> levels, const CodedGrid& grid,
           MatrixView<const double> hessian, double* difference, double* gradient) noexcept {
  bool changed = false;
  for (std::size_t j = 0; j < levels.size(); ++j) {
    if (levels[j] <= 1) continue;
    const WeightGrid here = weight_grid(grid, row, j, levels[j]);
    const double curvature = hessian(j, j);
    const float code = here.nearest(static_cast<float>(static_cast<double>(q[j]) + gradient[j] / curvature));
    if (code == static_cast<float>(codes[j])) continue;
    const float value = here.value(code);
    const double step = static_cast<double>(value) - static_cast<double>(q[j]);
    // Rounding must not let a sweep go round in circles.
    if (!(step * (step * curvature - 2 * gradient[j]) < 0)) continue;
    const double* const line = &hessian(j, 0);
    for (std::size_t k = 0; k < levels.size(); ++k) gradient[k] -= step * line[k];
    difference[j] -= step;
    codes[j] = static_cast<std::uint8_t>(code);
    q[j] = value;
    changed = true;
  }
  return changed;
}

void scale_row(CodedGrid& grid, std::size_t row, float factor) noexcept {
  for (std::size_t g = row * grid.groups; g < (row + 1) * grid.groups; ++g) {
    grid.first[g] *= factor;
    if (grid.kind == GridKind::ternary) grid.second[g] *= factor;
  }
}

}  // namespace

double quadratic_loss(MatrixView<const float> w, MatrixView<const float> q, MatrixView<const double> hessian,
                      std::size_t threads) {
  double sum = 0;
  Residual residual(std::min(block_rows, w.rows), hessian);
  for (std::size_t first = 0; first < w.rows; first += block_rows) {
    const std::size_t rows = std::min(block_rows, w.rows - first);
    residual.compute(w.block(first, 0, rows, w.columns), q.block(first, 0, rows, w.columns), threads);
    for (std::size_t i = 0; i < rows; ++i) sum += residual.product(i);
  }
  return sum / 2;
}

double refine(MatrixView<const float> w, MatrixView<float> q, MatrixView<std::uint8_t> codes,
              std::span<const std::uint32_t> levels, CodedGrid& grid, MatrixView<const double> hessian,
              const RefineOptions& options, RunControl& control) {
  const std::size_t columns = w.columns, threads = control.threads();
  const std::size_t largest_block = std::min(block_rows, w.rows);
  Residual residual(largest_block, hessian);
  Residual product(options.refit ? largest_block : 0, hessian);
  std::vector<double> losses(w.rows);
  for (std::size_t first = 0; first < w.rows; first += block_rows) {
    const std::size_t rows = std::min(block_rows, w.rows - first);
    residual.compute(w.block(first, 0, rows, columns), q.block(first, 0, rows, columns), threads);
    const bool stopped = control.should_stop();
    if (!stopped) {
      parallel_for(threads, rows, rows_per_task, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
          for (std::size_t s = 0; s < options.sweeps; ++s) {
            if (!sweep(first + i, &q(first + i, 0), &codes(first + i, 0), levels, grid, hessian, residual.difference(i),
                       residual.gradient(i))) {
              break;
            }
          }
        }
      });
    }
    for (std::size_t i = 0; i < rows; ++i) losses[first + i] = residual.product(i);
    if (stopped || !options.refit) continue;
    product.compute(q.block(first, 0, rows, columns), threads);
    for (std::size_t i = 0; i < rows; ++i) {
      // w Hd q = q Hd q + (w - q) Hd q, so the factor differs from 1 by the ratio of the last to the first.
      const double own = product.product(i), rest = dot(residual.gradient(i), product.difference(i), columns);
      if (!(own > 0)) continue;
      const double factor = 1 + rest / own;
      if (!(factor >= smallest_scale && factor <= largest_scale)) continue;
      const std::size_t row = first + i;
      scale_row(grid, row, static_cast<float>(factor));
      for (std::size_t j = 0; j < columns; ++j) {
        q(row, j) = weight_grid(grid, row, j, levels[j]).value(static_cast<float>(codes(row, j)));
      }
      losses[row] -= rest * rest / own;
    }
  }
  double sum = 0;
  for (const double loss : losses) sum += loss;
  return sum / 2;
}

}  // namespace dd::quantize
