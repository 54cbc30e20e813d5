// Scales the linear relaxation and chooses who solves it.
#include "dmmv/relaxation.hpp"

#include <algorithm>
#include <cmath>

#include "core/infinity.hpp"

namespace dd::dmmv {
namespace {

/// Variables that cannot move any activity by more than this do not count as movable: reciprocals would overflow.
constexpr double least_reach = 0x1p-960;

/// Some ten seconds of exchanges, and half a gigabyte of dense columns.
constexpr double exchange_work = 2e10, exchange_entries = 0x1p26;

double continuous_objective(const Problem& problem, std::span<const double> point) {
  std::vector<double> sums(problem.rows(), 0.0);
  for (std::size_t j = 0; j < problem.variables(); ++j) {
    problem.matrix().for_each(j, [&](std::size_t i, double entry) { sums[i] += entry * point[j]; });
  }
  double largest = -infinity;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    largest =
        std::max(largest, problem.weights()[i] * std::max(sums[i] - problem.upper()[i], problem.lower()[i] - sums[i]));
  }
  return largest;
}
bool is_worth_exchange(const Problem& problem) {
  const auto m = static_cast<double>(problem.rows()), n = static_cast<double>(problem.variables());
  return m * n <= exchange_entries && 8 * n * (m * n + 3 * n * n) <= exchange_work;
}

}  // namespace

double width_bound(const Problem& problem) {
  double bound = -infinity;
  for (std::size_t i = 0; i < problem.rows(); ++i) {
    const double width = problem.upper()[i] - problem.lower()[i];
    bound = std::max(bound, -0.5 * problem.weights()[i] * width * (1 + 0x1p-50));
  }
  return bound == 0 ? 0.0 : bound;
}

ScaledRelaxation::ScaledRelaxation(const Problem& problem)
    : middle(problem.variables()),
      column_size(problem.variables(), 0.0),
      rho(problem.variables(), 1.0),
      upper(problem.rows()),
      lower(problem.rows()) {
  std::vector<double> shift(problem.rows(), 0.0);
  scale = 0;
  for (std::size_t j = 0; j < problem.variables(); ++j) {
    const double low = problem.levels().minimum(j);
    const double high = problem.levels().maximum(j);
    middle[j] = 0.5 * low + 0.5 * high;
    double largest = 0;
    problem.matrix().for_each(j, [&](std::size_t i, double entry) {
      shift[i] += problem.weights()[i] * entry * middle[j];
      largest = std::max(largest, std::abs(problem.weights()[i] * entry));
    });
    const double half = 0.5 * high - 0.5 * low;
    // The bound stays proven all the same, because the multipliers are checked on the matrix itself.
    if (half * largest < least_reach || largest < least_reach) continue;
    column_size[j] = largest;
    rho[j] = half * largest;
    scale = std::max(scale, rho[j]);
  }
  double largest_side = 0;
  for (std::size_t i = 0; i < problem.rows(); ++i) {
    for (const double side : {problem.lower()[i], problem.upper()[i]}) {
      if (std::isfinite(side)) {
        largest_side = std::max(largest_side, std::abs(problem.weights()[i] * side - shift[i]));
      }
    }
  }
  scale = std::max(scale, largest_side * 0x1p-500);
  if (scale == 0) scale = 1;
  for (std::size_t j = 0; j < problem.variables(); ++j) {
    if (column_size[j] > 0) rho[j] /= scale;
  }
  for (std::size_t i = 0; i < problem.rows(); ++i) {
    upper[i] = (problem.weights()[i] * problem.upper()[i] - shift[i]) / scale;
    lower[i] = (problem.weights()[i] * problem.lower()[i] - shift[i]) / scale;
  }
}

double ScaledRelaxation::original(const Problem& problem, std::size_t j, double z) const noexcept {
  const double step = column_size[j] > 0 ? z / column_size[j] * scale : 0.0;
  return std::clamp(middle[j] + step, problem.levels().minimum(j), problem.levels().maximum(j));
}

LinearRelaxation linear_relaxation(const Problem& problem, const LinearRelaxationOptions& options,
                                   const RunControl& control) {
  const bool exchange = options.method == RelaxationMethod::automatic ? is_worth_exchange(problem)
                                                                      : options.method == RelaxationMethod::exchange;
  const std::uint64_t limit = options.iteration_limit > 0 ? options.iteration_limit
                              : exchange                  ? 50 * (problem.variables() + 10) + 2000
                                                          : 50'000;
  LinearRelaxation result = exchange ? exchange_relaxation(problem, limit, control)
                                     : first_order_relaxation(problem, limit, options.tolerance, control);
  result.objective = continuous_objective(problem, result.point);
  const double trivial = width_bound(problem);
  result.useful = result.bound > trivial;
  if (result.useful) result.source = BoundSource::relaxation;
  result.bound = std::max(result.bound, trivial);
  return result;
}

LinearRelaxation lower_bound(const Problem& problem, const LinearRelaxationOptions& options,
                             const RunControl& control) {
  LinearRelaxation result = linear_relaxation(problem, options, control);
  if (result.useful || control.should_stop()) return result;
  const double spectral = spectral_bound(problem);
  if (spectral > result.bound) {
    result.bound = spectral;
    result.useful = true;
    result.source = BoundSource::spectrum;
  }
  return result;
}

const char* bound_source_name(BoundSource source) noexcept {
  switch (source) {
    case BoundSource::widths:
      return "widths";
    case BoundSource::relaxation:
      return "relaxation";
    case BoundSource::spectrum:
      return "spectrum";
  }
  return "";
}

}  // namespace dd::dmmv
