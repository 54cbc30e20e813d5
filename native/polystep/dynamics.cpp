#include "polystep/dynamics.hpp"

#include <algorithm>
#include <cmath>

namespace dd::polystep {

double momentum_coefficient(std::uint64_t iteration, std::uint64_t max_iterations, double initial,
                            double last) noexcept {
  const double horizon = max_iterations > 2 ? static_cast<double>(max_iterations - 1) : 1;
  return initial + std::min(1.0, static_cast<double>(iteration) / horizon) * (last - initial);
}

void AdaptiveRadius::update(double loss, const AdaptiveRadiusOptions& options) noexcept {
  const double before = previous_loss;
  previous_loss = loss;
  if (!std::isfinite(loss)) return;
  const double change = std::abs(loss - before) / (std::abs(before) + 1e-10);
  stagnation = change < options.threshold ? stagnation + 1 : 0;
  if (stagnation >= options.patience) {
    multiplier = std::min(multiplier * options.increase, options.most);
    stagnation = 0;
  } else if (std::isfinite(before) && loss < before) {
    multiplier = std::max(multiplier * options.decrease, options.least);
  }
}

void Patience::look_at(double best, double min_delta) noexcept {
  if (best < value - min_delta || !std::isfinite(value)) {
    value = best;
    since = 0;
  } else {
    ++since;
  }
}

double trust_region_multiplier(double predicted, double actual, double current) noexcept {
  constexpr double least = 0.1, most = 3;
  if (std::abs(predicted) < 1e-10) return current;
  const double ratio = std::clamp(actual / predicted, -2.0, 5.0);
  if (ratio < 0) return std::max(0.25 * current, least);
  if (ratio > 0.75 && predicted < 0) return std::min(1.5 * current, most);
  if (ratio < 0.25) return std::max(0.5 * current, least);
  return current;
}

void quadratic_model(std::span<const double> losses, std::span<const double> scales, double probe_radius, double centre,
                     std::span<double> gradient, std::span<double> curvature) noexcept {
  const std::size_t d = gradient.size(), K = scales.size();
  double mean_square = 0, spread = 0;
  for (const double scale : scales) mean_square += scale * probe_radius * scale * probe_radius;
  mean_square /= static_cast<double>(K);
  for (const double scale : scales) {
    const double square = scale * probe_radius * scale * probe_radius - mean_square;
    spread += square * square;
  }
  for (std::size_t i = 0; i < d; ++i) {
    double slope = 0, mean_sum = 0, covariance = 0;
    for (std::size_t k = 0; k < K; ++k) {
      const double up = losses[i * K + k], down = losses[(i + d) * K + k];
      slope += (up - down) / (2 * scales[k] * probe_radius);
      mean_sum += up + down;
    }
    mean_sum /= static_cast<double>(K);
    gradient[i] = slope / static_cast<double>(K);
    if (K == 1) {
      const double h = scales[0] * probe_radius;
      curvature[i] = std::isfinite(centre) ? (mean_sum - 2 * centre) / (h * h) : 0;
      continue;
    }
    for (std::size_t k = 0; k < K; ++k) {
      const double square = scales[k] * probe_radius * scales[k] * probe_radius - mean_square;
      covariance += square * (losses[i * K + k] + losses[(i + d) * K + k] - mean_sum);
    }
    // Relative to the squares themselves: an absolute guard would switch the model off at small radii.
    curvature[i] = spread > 1e-12 * mean_square * mean_square ? covariance / spread : 0;
  }
}

void newton_step(std::span<const double> gradient, std::span<const double> curvature, double max_norm,
                 std::span<double> step) noexcept {
  double squares = 0;
  for (std::size_t i = 0; i < step.size(); ++i) {
    step[i] = -gradient[i] / std::max(curvature[i], 1e-4);
    squares += step[i] * step[i];
  }
  const double norm = std::sqrt(squares);
  if (norm <= max_norm) return;
  for (double& component : step) component *= max_norm / norm;
}

double predicted_change(std::span<const double> gradient, std::span<const double> curvature,
                        std::span<const double> step) noexcept {
  double change = 0;
  for (std::size_t i = 0; i < step.size(); ++i) {
    change += gradient[i] * step[i] + 0.5 * curvature[i] * step[i] * step[i];
  }
  return change;
}

}  // namespace dd::polystep
