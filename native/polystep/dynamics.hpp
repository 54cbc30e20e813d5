// What changes between steps besides the point: momentum, radii that adapt, a quadratic model, a trust region.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace dd::polystep {

/// beta0 + min(1, t / max(1, T - 1)) (beta1 - beta0).
double momentum_coefficient(std::uint64_t iteration, std::uint64_t max_iterations, double initial,
                            double last) noexcept;

struct AdaptiveRadiusOptions {
  double threshold = 1e-4;
  std::uint64_t patience = 10;
  double increase = 1.5, decrease = 0.9;
  double least = 0.5, most = 3;
};

struct AdaptiveRadius {
  double previous_loss = std::numeric_limits<double>::infinity();
  std::uint64_t stagnation = 0;
  double multiplier = 1;

  /// Grows after `patience` losses that hardly differ, shrinks when the loss falls. A loss that is not finite is only
  /// remembered.
  void update(double loss, const AdaptiveRadiusOptions& options) noexcept;
};

/// Counts steps without a best value that is better by some amount than the last one that was.
struct Patience {
  double value = std::numeric_limits<double>::infinity();
  std::uint64_t since = 0;

  void look_at(double best, double min_delta) noexcept;
  /// limit: 0 never ends.
  bool ended(std::uint64_t limit) const noexcept { return limit > 0 && since >= limit; }
};

/// The trust region's next multiplier after a step that promised `predicted` (negative: better) and gave `actual`.
double trust_region_multiplier(double predicted, double actual, double current) noexcept;

/// Gradient and diagonal curvature along the directions of an orthoplex, from the losses of one particle: 2 d x K,
/// vertex by vertex. scales: K probe scales. With one probe the curvature needs `centre`, the loss at the particle
/// itself; NaN: curvature 0. gradient, curvature: d numbers.
void quadratic_model(std::span<const double> losses, std::span<const double> scales, double probe_radius, double centre,
                     std::span<double> gradient, std::span<double> curvature) noexcept;
/// -g_i / max(H_i, 1e-4), shortened to `max_norm`.
void newton_step(std::span<const double> gradient, std::span<const double> curvature, double max_norm,
                 std::span<double> step) noexcept;
/// g . s + sum H_i s_i^2 / 2.
double predicted_change(std::span<const double> gradient, std::span<const double> curvature,
                        std::span<const double> step) noexcept;

}  // namespace dd::polystep
