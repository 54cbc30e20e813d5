#include "polystep/baselines/evolution_strategy.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace dd::polystep {

void write_mirrored(const Perturbations& perturbations, std::uint64_t step, double distance, std::span<const double> x,
                    std::size_t first, MatrixView<double> rows) {
  std::vector<double> direction(x.size());
  for (std::size_t c = first; c < first + rows.rows; ++c) {
    if (c == first || c % 2 == 0) perturbations.write(c / 2, step, direction);
    const double along = c % 2 == 0 ? distance : -distance;
    for (std::size_t j = 0; j < x.size(); ++j) rows(c - first, j) = x[j] + along * direction[j];
  }
}

EvolutionStrategy::EvolutionStrategy(std::span<const double> x0, Perturbations perturbations,
                                     const EvolutionStrategyOptions& options)
    : SearchMethod(x0),
      options_(options),
      perturbations_(std::move(perturbations)),
      descent_(options.rule, x0.size()),
      gradient_(x0.size()) {}

Gains EvolutionStrategy::gains(std::uint64_t step) const noexcept {
  const auto count = static_cast<double>(step);
  return {options_.learning_rate * std::pow(options_.learning_rate_decay, count),
          options_.sigma * std::pow(options_.sigma_decay, count)};
}

void EvolutionStrategy::ask(std::uint64_t step, std::size_t first, MatrixView<double> rows) const {
  write_mirrored(perturbations_, step, gains(step).perturbation, iterate_, first, rows);
}

std::span<const StepTensor> EvolutionStrategy::step_tensors() const noexcept {
  const std::span<const StepTensor> tensors = perturbations_.tensors();
  const bool thin = std::any_of(tensors.begin(), tensors.end(), [](const StepTensor& t) { return t.rank > 0; });
  return thin ? tensors : std::span<const StepTensor>{};
}

SearchMethod::StepChoice EvolutionStrategy::step_choice(std::uint64_t step, std::size_t index) const {
  const double distance = gains(step).perturbation;
  return {index / 2, index % 2 == 0 ? distance : -distance};
}

void EvolutionStrategy::tell(std::uint64_t step, std::span<const double> losses, std::size_t threads) {
  std::vector<double> scaled(losses.begin(), losses.end());
  scale_row(scaled, options_.scale, options_.divisor);
  const auto [rate, sigma] = gains(step);
  std::vector<double> weights(losses.size() / 2);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i] = (scaled[2 * i] - scaled[2 * i + 1]) / (static_cast<double>(losses.size()) * sigma);
  }
  perturbations_.combine(weights, step, gradient_, threads);
  descent_.step(gradient_, rate, iterate_);
}

}  // namespace dd::polystep
