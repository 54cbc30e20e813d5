// Cheap roundings of rows of weights.
#include "dmmv/rounding_starts.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "linalg/inverse_factor.hpp"
#include "linalg/lattice.hpp"
#include "linalg/sequential_rounding.hpp"
#include "linalg/syrk.hpp"
#include "linalg/transpose.hpp"

namespace dd::dmmv {
namespace {

std::int32_t nearest(double position, std::int32_t levels) {
  return static_cast<std::int32_t>(std::clamp(std::ceil(position - 0.5), 0.0, static_cast<double>(levels - 1)));
}

bool is_fixed(const RoundingRow& row, std::size_t j) { return !row.fixed.empty() && row.fixed[j] != 0; }

double largest_magnitude(std::span<const double> values) {
  double largest = 0;
  for (const double value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

}  // namespace

void nearest_codes(const RoundingRow& row, std::span<std::int32_t> codes) {
  for (std::size_t j = 0; j < codes.size(); ++j) codes[j] = is_fixed(row, j) ? -1 : nearest(-row.base[j], row.levels);
}

std::vector<double> damped_moment(MatrixView<const double> activations, double damping, std::size_t threads) {
  const std::size_t n = activations.columns;
  std::vector<double> moment(n * n);
  const auto view = MatrixView<double>::row_major(moment.data(), n, n);
  linalg::syrk<double>(1.0, activations.transposed(), 0.0, view, linalg::Triangle::lower, threads);
  double mean = 0;
  for (std::size_t j = 0; j < n; ++j) {
    if (moment[j * n + j] == 0) moment[j * n + j] = 1;
    mean += moment[j * n + j] / static_cast<double>(n);
  }
  for (std::size_t j = 0; j < n; ++j) moment[j * n + j] += damping * mean;
  linalg::mirror_triangle(linalg::Triangle::lower, view, threads);
  return moment;
}

GptqStart::GptqStart(std::span<const double> damped, std::size_t columns, std::size_t threads)
    : columns_(columns), order_(columns), factor_(columns * columns) {
  std::iota(order_.begin(), order_.end(), 0u);
  std::stable_sort(order_.begin(), order_.end(), [&](std::uint32_t a, std::uint32_t b) {
    return damped[a * (columns + 1)] > damped[b * (columns + 1)];
  });
  std::vector<double> ordered(columns * columns);
  for (std::size_t p = 0; p < columns; ++p) {
    for (std::size_t q = 0; q < columns; ++q) ordered[p * columns + q] = damped[order_[p] * columns + order_[q]];
  }
  if (!linalg::inverse_factor<double>(ordered, columns, factor_, threads)) {
    throw Error(ErrorCode::singular, "activations",
                "`activations` have dependent columns to working precision: damping must be larger");
  }
}

bool GptqStart::round(std::span<const RoundingRow> rows, std::size_t threads, const RunControl& control,
                      std::span<std::int32_t> codes) const {
  std::vector<float> positions(rows.size() * columns_);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t p = 0; p < columns_; ++p) {
      positions[i * columns_ + p] = static_cast<float>(-rows[i].base[order_[p]]);
    }
  }
  std::vector<double> losses(columns_);
  return linalg::sequential_quantize(
      MatrixView<float>::row_major(positions.data(), rows.size(), columns_),
      MatrixView<const float>::row_major(factor_.data(), columns_, columns_), losses, threads, &control,
      [&](std::size_t i, std::size_t p, float position) {
        const std::size_t j = order_[p];
        std::int32_t& code = codes[i * columns_ + j];
        code = is_fixed(rows[i], j) ? -1 : nearest(static_cast<double>(position), rows[i].levels);
        return code < 0 ? static_cast<float>(-rows[i].base[j]) : static_cast<float>(code);
      });
}

void nearest_plane_codes(const RoundingMoves& moves, std::span<const double> damped, const RoundingRow& row,
                         std::span<std::int32_t> codes) {
  const std::size_t n = moves.columns;
  nearest_codes(row, codes);
  // Small numbers keep their digits: the target lies within half a level of the rounded weights.
  std::vector<double> rest(n), product(n, 0.0), target(n);
  for (std::size_t j = 0; j < n; ++j) rest[j] = -row.base[j] - codes[j];
  for (std::size_t j = 0; j < n; ++j) {
    for (std::size_t i = 0; i < n; ++i) product[i] += damped[j * n + i] * rest[j];
  }
  // R^T t = U^T H rest, so that R z is near t where U z is near `rest` in the metric.
  for (std::size_t k = 0; k < n; ++k) {
    const double* const direction = moves.transform.data() + k * n;
    const double* const column = moves.triangle.data() + k * n;
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += direction[i] * product[i];
    for (std::size_t i = 0; i < k; ++i) sum -= column[i] * target[i];
    target[k] = sum / column[k];
  }
  const std::vector<std::int64_t> coordinates = linalg::nearest_plane(moves.triangle, n, target);
  std::vector<double> change(n, 0.0);
  for (std::size_t k = 0; k < n; ++k) {
    const auto factor = static_cast<double>(coordinates[k]);
    if (factor == 0) continue;
    const double* const direction = moves.transform.data() + k * n;
    for (std::size_t i = 0; i < n; ++i) change[i] += factor * direction[i];
  }
  for (std::size_t j = 0; j < n; ++j) {
    codes[j] = static_cast<std::int32_t>(std::clamp(codes[j] + change[j], 0.0, static_cast<double>(row.levels - 1)));
  }
}

void reweighted_codes(MatrixView<const double> activations, double damping, const RoundingRow& row,
                      const RunControl& control, std::span<std::int32_t> codes) {
  const std::size_t tokens = activations.rows, n = activations.columns;
  std::vector<double> weight(tokens, 1.0), error(tokens), weighted(tokens * n);
  std::vector<std::int32_t> current(codes.begin(), codes.end());
  rounding_residual(activations, row, current, error);
  double best = largest_magnitude(error);
  for (int round = 0; round < 5 && best > 0 && !control.should_stop(); ++round) {
    double mean = 0;
    for (const double value : error) mean += std::abs(value) / static_cast<double>(tokens);
    if (!(mean > 0)) return;
    // Bounded from below: a token that happens to have no error must not be forgotten.
    for (std::size_t t = 0; t < tokens; ++t) weight[t] *= std::clamp(std::abs(error[t]) / mean, 0.1, 10.0);
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t t = 0; t < tokens; ++t) weighted[t + j * tokens] = std::sqrt(weight[t]) * activations(t, j);
    }
    const std::vector<double> damped =
        damped_moment(MatrixView<const double>::column_major(weighted.data(), tokens, n), damping, 1);
    if (!GptqStart(damped, n, 1).round({&row, 1}, 1, control, current)) return;
    rounding_residual(activations, row, current, error);
    const double largest = largest_magnitude(error);
    if (largest < best) {
      best = largest;
      std::copy(current.begin(), current.end(), codes.begin());
    }
  }
}

}  // namespace dd::dmmv
