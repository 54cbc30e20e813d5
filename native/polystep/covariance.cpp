#include "polystep/covariance.hpp"

#include <algorithm>
#include <cmath>

namespace dd::polystep {
namespace {

constexpr double least_variance = 1e-6, most_variance = 1e6;

double norm_of(std::span<const double> values) {
  double squares = 0;
  for (const double value : values) squares += value * value;
  return std::sqrt(squares);
}

}  // namespace

CovarianceConstants covariance_constants(std::size_t n, double effective_size) {
  const auto size = static_cast<double>(n);
  CovarianceConstants c;
  const double mu = effective_size > 0 ? effective_size : std::max(1.0, std::min(size / 4, 5 * std::sqrt(size)));
  c.effective_size = mu;
  c.path_rate = (mu + 2) / (size + mu + 3);
  c.rank_one_path_rate = 4 / (size + 4);
  c.rank_one = 2 / ((size + 1.3) * (size + 1.3) + mu);
  c.rank_mu = std::min(1 - c.rank_one, 2 * (mu - 2 + 1 / mu) / ((size + 2) * (size + 2) + mu));
  c.damping = 1 + 2 * std::max(0.0, std::sqrt((mu - 1) / (size + 1)) - 1) + c.path_rate;
  c.expected_norm = std::sqrt(size) * (1 - 1 / (4 * size) + 1 / (21 * size * size));
  return c;
}

void evolve_path(std::span<double> path, std::span<const double> displacement, double rate, double effective_size,
                 bool stalled) noexcept {
  const double gain = stalled ? 0 : std::sqrt(rate * (2 - rate) * effective_size);
  for (std::size_t i = 0; i < path.size(); ++i) path[i] = (1 - rate) * path[i] + gain * displacement[i];
}

bool path_stalled(double norm, double expected, std::size_t n, double rate, std::uint64_t generation) noexcept {
  const double passed = 2 * (static_cast<double>(generation) + 1);
  const double cumulated = std::sqrt(1 - std::pow(1 - rate, passed));
  return !(norm < (1.4 + 2 / (static_cast<double>(n) + 1)) * expected * cumulated);
}

void adapt_variances(std::span<double> variances, std::span<const double> path, std::span<const double> rank_mu,
                     const CovarianceConstants& c, bool stalled) noexcept {
  const double made_up = stalled ? c.rank_one * c.rank_one_path_rate * (2 - c.rank_one_path_rate) : 0;
  const double kept = 1 - c.rank_one - c.rank_mu + made_up;
  for (std::size_t i = 0; i < variances.size(); ++i) {
    const double next = kept * variances[i] + c.rank_one * path[i] * path[i] + c.rank_mu * rank_mu[i];
    variances[i] = std::clamp(next, least_variance, most_variance);
  }
}

void DiagonalCovariance::update(std::span<const double> displacements, std::span<const double> squares) {
  const std::size_t n = variances.size();
  const CovarianceConstants constants = covariance_constants(n, 0);
  std::vector<double> white(n);
  for (std::size_t i = 0; i < n; ++i) white[i] = displacements[i] / std::sqrt(variances[i]);
  evolve_path(path, white, constants.path_rate, constants.effective_size, false);
  const double norm = norm_of(path);
  const double expected = std::max(generation == 0 ? norm : mean_norm, 1e-8);
  mean_norm = generation == 0 ? norm : 0.9 * mean_norm + 0.1 * norm;
  const bool stalled = path_stalled(norm, expected, n, constants.path_rate, generation);
  evolve_path(rank_one_path, displacements, constants.rank_one_path_rate, constants.effective_size, stalled);
  adapt_variances(variances, rank_one_path, squares, constants, stalled);
  ++generation;
  double logarithms = 0;
  for (const double variance : variances) logarithms += std::log(variance);
  const double mean = std::exp(logarithms / static_cast<double>(n));
  for (double& variance : variances) variance = std::clamp(variance / mean, least_variance, most_variance);
}

void DiagonalCovariance::forget_paths() noexcept {
  std::fill(path.begin(), path.end(), 0.0);
  std::fill(rank_one_path.begin(), rank_one_path.end(), 0.0);
  mean_norm = 0;
  generation = 0;
}

}  // namespace dd::polystep
