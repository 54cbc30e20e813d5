// Products with A run over its rows, products with its transpose over its columns: every sum has one owner.
#include "dmmv/algebraic.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "core/thread_pool.hpp"

namespace dd::dmmv {
namespace {

constexpr std::size_t grain = 1024;

/// The matrix by columns (the caller's) and by rows, with the inverse sums of both.
class Projections {
 public:
  Projections(const SparseColumns& matrix, std::span<const double> b, std::size_t threads)
      : matrix_(matrix), b_(b), threads_(threads) {
    if (b.size() != matrix.rows) {
      throw Error(ErrorCode::shape_mismatch, "sinogram",
                  "`sinogram` must have length " + std::to_string(matrix.rows) + " (one entry per row), got " +
                      std::to_string(b.size()));
    }
    for (std::size_t i = 0; i < b.size(); ++i) {
      const std::string name = "sinogram[" + std::to_string(i) + "]";
      if (!std::isfinite(b[i])) throw Error(ErrorCode::not_finite, name, "`" + name + "` must be finite");
    }
    row_starts_.assign(matrix.rows + 1, 0);
    for (const std::int32_t row : matrix.row_indices) ++row_starts_[static_cast<std::size_t>(row) + 1];
    for (std::size_t i = 0; i < matrix.rows; ++i) row_starts_[i + 1] += row_starts_[i];
    std::vector<std::size_t> next(row_starts_.begin(), row_starts_.end() - 1);
    columns_.resize(matrix.values.size());
    values_.resize(matrix.values.size());
    std::vector<double> row_sums(matrix.rows, 0.0);
    column_factors_.assign(matrix.columns, 0.0);
    for (std::size_t j = 0; j < matrix.columns; ++j) {
      double sum = 0;
      for_column(j, [&](std::size_t i, double value) {
        const std::size_t at = next[i]++;
        columns_[at] = static_cast<std::uint32_t>(j);
        values_[at] = value;
        row_sums[i] += value;
        sum += value;
      });
      column_factors_[j] = sum != 0 ? 1 / sum : 0;
    }
    row_factors_ = row_sums;
    for (double& sum : row_factors_) sum = sum != 0 ? 1 / sum : 0;
    rest_.resize(matrix.rows);
  }

  /// One step on the pixels that are free (all where `free` is empty).
  void step(std::span<double> x, double lower, double upper, std::span<const std::uint8_t> free) {
    parallel_for(threads_, matrix_.rows, grain, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        double sum = 0;
        for (std::size_t k = row_starts_[i]; k < row_starts_[i + 1]; ++k) sum += values_[k] * x[columns_[k]];
        rest_[i] = row_factors_[i] * (b_[i] - sum);
      }
    });
    parallel_for(threads_, matrix_.columns, grain, [&](std::size_t begin, std::size_t end) {
      for (std::size_t j = begin; j < end; ++j) {
        if (!free.empty() && free[j] == 0) continue;
        double sum = 0;
        for_column(j, [&](std::size_t i, double value) { sum += value * rest_[i]; });
        x[j] = std::clamp(x[j] + column_factors_[j] * sum, lower, upper);
      }
    });
  }

 private:
  template <class Visit>
  void for_column(std::size_t j, Visit&& visit) const {
    for (auto k = static_cast<std::size_t>(matrix_.column_pointers[j]);
         k < static_cast<std::size_t>(matrix_.column_pointers[j + 1]); ++k) {
      visit(static_cast<std::size_t>(matrix_.row_indices[k]), matrix_.values[k]);
    }
  }

  const SparseColumns& matrix_;
  std::span<const double> b_;
  std::size_t threads_;
  std::vector<std::size_t> row_starts_;
  std::vector<std::uint32_t> columns_;
  std::vector<double> values_, row_factors_, column_factors_, rest_;
};

std::int32_t nearest_level(std::span<const double> levels, double value) {
  const auto above = std::lower_bound(levels.begin(), levels.end(), value);
  if (above == levels.begin()) return 0;
  if (above == levels.end()) return static_cast<std::int32_t>(levels.size()) - 1;
  const auto index = static_cast<std::int32_t>(above - levels.begin());
  return *above - value < value - *(above - 1) ? index : index - 1;
}

/// visit(neighbour) for the up to eight neighbours of a pixel.
template <class Visit>
void for_neighbours(std::size_t size, std::size_t pixel, Visit&& visit) {
  const std::size_t row = pixel / size, column = pixel % size;
  for (std::size_t i = row == 0 ? 0 : row - 1; i <= std::min(row + 1, size - 1); ++i) {
    for (std::size_t j = column == 0 ? 0 : column - 1; j <= std::min(column + 1, size - 1); ++j) {
      if (i != row || j != column) visit(i * size + j);
    }
  }
}

}  // namespace

std::vector<double> sirt(const SparseColumns& matrix, std::span<const double> b, std::span<const double> start,
                         const SirtOptions& options, const RunControl& control) {
  check_sparse_columns("matrix", matrix);
  if (!(options.lower <= options.upper)) {
    throw Error(ErrorCode::invalid_argument_value, "lower", "`lower` must not be above `upper`");
  }
  if (!start.empty() && start.size() != matrix.columns) {
    throw Error(ErrorCode::shape_mismatch, "start",
                "`start` must have length " + std::to_string(matrix.columns) + " (one entry per column), got " +
                    std::to_string(start.size()));
  }
  Projections projections(matrix, b, control.threads());
  std::vector<double> x(matrix.columns, 0.5 * options.lower + 0.5 * options.upper);
  for (std::size_t j = 0; j < start.size(); ++j) x[j] = std::clamp(start[j], options.lower, options.upper);
  for (std::size_t k = 0; k < options.iterations && !control.should_stop(); ++k) {
    projections.step(x, options.lower, options.upper, {});
  }
  return x;
}

std::vector<std::int32_t> dart(const SparseColumns& matrix, std::span<const double> b, std::span<const double> levels,
                               const DartOptions& options, const RunControl& control) {
  check_sparse_columns("matrix", matrix);
  const std::size_t pixels = matrix.columns;
  if (options.size * options.size != pixels) {
    throw Error(ErrorCode::shape_mismatch, "size", "`size` must be the side of the image that the columns make");
  }
  if (levels.empty()) throw Error(ErrorCode::invalid_argument_value, "levels", "`levels` must hold at least one level");
  const double lower = levels.front(), upper = levels.back();
  Projections projections(matrix, b, control.threads());
  std::vector<double> x(pixels, 0.5 * lower + 0.5 * upper), smooth(pixels);
  for (std::size_t k = 0; k < options.sirt_iterations && !control.should_stop(); ++k) {
    projections.step(x, lower, upper, {});
  }
  std::vector<std::int32_t> codes(pixels);
  std::vector<std::uint8_t> free(pixels);
  PhiloxStream random(options.seed, 0, 4);
  const auto segment = [&] {
    for (std::size_t j = 0; j < pixels; ++j) codes[j] = nearest_level(levels, x[j]);
  };
  segment();
  for (std::size_t k = 0; k < options.iterations && !control.should_stop(); ++k) {
    for (std::size_t j = 0; j < pixels; ++j) {
      bool edge = random.next_uniform() < options.free_part;
      for_neighbours(options.size, j, [&](std::size_t other) { edge = edge || codes[other] != codes[j]; });
      free[j] = edge ? 1 : 0;
      x[j] = edge ? x[j] : levels[static_cast<std::size_t>(codes[j])];
    }
    for (std::size_t step = 0; step < options.steps && !control.should_stop(); ++step) {
      projections.step(x, lower, upper, free);
    }
    if (k + 1 < options.iterations && options.smoothing > 0) {
      smooth = x;
      for (std::size_t j = 0; j < pixels; ++j) {
        if (free[j] == 0) continue;
        double sum = 0;
        std::size_t count = 0;
        for_neighbours(options.size, j, [&](std::size_t other) { sum += x[other], ++count; });
        if (count > 0) smooth[j] += options.smoothing * (sum / static_cast<double>(count) - x[j]);
      }
      x = smooth;
    }
    segment();
  }
  return codes;
}

}  // namespace dd::dmmv
