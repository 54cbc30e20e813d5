#include "polystep/baselines/two_point.hpp"

#include <cmath>
#include <utility>

#include "polystep/baselines/evolution_strategy.hpp"

namespace dd::polystep {

TwoPoint::TwoPoint(std::span<const double> x0, Perturbations perturbations, const TwoPointOptions& options)
    : SearchMethod(x0),
      options_(options),
      perturbations_(std::move(perturbations)),
      descent_(DescentRule::plain, x0.size()),
      gradient_(x0.size()) {}

Gains TwoPoint::gains(std::uint64_t step) const noexcept {
  const auto k = static_cast<double>(step);
  return {options_.learning_rate * std::pow(options_.decay, k) /
              std::pow(k + 1 + options_.stability, options_.rate_exponent),
          options_.perturbation / std::pow(k + 1, options_.distance_exponent)};
}

void TwoPoint::ask(std::uint64_t step, std::size_t first, MatrixView<double> rows) const {
  write_mirrored(perturbations_, step, gains(step).perturbation, iterate_, first, rows);
}

void TwoPoint::tell(std::uint64_t step, std::span<const double> losses, std::size_t threads) {
  const auto [rate, distance] = gains(step);
  std::vector<double> weights(options_.directions);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i] = (losses[2 * i] - losses[2 * i + 1]) / (2 * distance * static_cast<double>(weights.size()));
  }
  perturbations_.combine(weights, step, gradient_, threads);
  descent_.step(gradient_, rate, iterate_);
}

}  // namespace dd::polystep
