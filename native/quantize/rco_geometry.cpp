// Normal, projection and retraction on the budget manifold.
// Source: arXiv 2605.00649 (RCO) for the geometry; Newton instead of its bisection is ours.
#include "quantize/rco_geometry.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "core/error.hpp"
#include "quantize/assignment_isa.hpp"

namespace dd::quantize {

RcoGeometry::RcoGeometry(std::span<const double> weights, std::span<const double> costs)
    : weights_(weights.begin(), weights.end()),
      costs_(costs.begin(), costs.end()),
      means_(weights.size()),
      variances_(weights.size()),
      total_weight_(std::accumulate(weights_.begin(), weights_.end(), 0.0)) {}

RcoGeometry::Moments RcoGeometry::moments(std::span<const double> alpha, double shift, double* normal) {
  const RcoMomentsArguments arguments{groups(), options(),     alpha.data(),      weights_.data(), costs_.data(),
                                      shift,    means_.data(), variances_.data(), normal};
  rco_moments(&arguments);
  return {std::accumulate(means_.begin(), means_.end(), 0.0),
          std::accumulate(variances_.begin(), variances_.end(), 0.0)};
}

double RcoGeometry::expected_cost(std::span<const double> alpha) { return moments(alpha, 0, nullptr).mean; }

void RcoGeometry::normal(std::span<const double> alpha, std::span<double> n) { (void)moments(alpha, 0, n.data()); }

double RcoGeometry::project(std::span<double> g, std::span<const double> n) {
  const double along = std::inner_product(g.begin(), g.end(), n.begin(), 0.0);
  const double coefficient = along / (std::inner_product(n.begin(), n.end(), n.begin(), 0.0) + 1e-12);
  for (std::size_t i = 0; i < g.size(); ++i) g[i] -= coefficient * n[i];
  return coefficient;
}

double RcoGeometry::retraction_shift(std::span<const double> alpha, double budget) {
  const auto [cheapest, dearest] = std::minmax_element(costs_.begin(), costs_.end());
  if (!(budget > total_weight_ * *cheapest && budget < total_weight_ * *dearest)) {
    throw Error(ErrorCode::out_of_range, "budget",
                "`budget` must lie strictly between " + std::to_string(total_weight_ * *cheapest) + " and " +
                    std::to_string(total_weight_ * *dearest) + ", got " + std::to_string(budget));
  }
  const double tolerance = 1e-12 * (*dearest - *cheapest) * total_weight_;
  // The bracket [low, high] holds the answer; it is infinite until a step has overshot on that side.
  double low = -std::numeric_limits<double>::infinity(), high = -low, t = 0, reach = 1;
  constexpr int most_steps = 400;
  for (int step = 0; step < most_steps; ++step) {
    const Moments now = moments(alpha, t, nullptr);
    const double missing = budget - now.mean;
    if (std::abs(missing) <= tolerance) break;
    (missing > 0 ? low : high) = t;
    double next = t + missing / now.slope;  // infinite or NaN where the slope has vanished
    if (std::isinf(low) || std::isinf(high)) {
      if (!(std::abs(next - t) <= reach)) next = t + std::copysign(reach, missing);
      reach *= 2;
    } else if (!(next > low && next < high)) {
      next = low + (high - low) / 2;
    }
    if (next == t || next == low || next == high) break;
    t = next;
  }
  return t;
}

double RcoGeometry::retract(std::span<double> alpha, double budget) {
  const double t = retraction_shift(alpha, budget);
  for (std::size_t i = 0; i < alpha.size(); ++i) alpha[i] += t * costs_[i % costs_.size()];
  return t;
}

}  // namespace dd::quantize
