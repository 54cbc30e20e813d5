#include "polystep/baselines/cma_es.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/thread_pool.hpp"
#include "linalg/symmetric_eigen.hpp"

namespace dd::polystep {
namespace {

/// Eigenvalues below this share of the largest are rounding errors.
constexpr double least_eigenvalue = 1e-20;

double inner(const double* a, const double* b, std::size_t count) noexcept {
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

CmaEs::CmaEs(std::span<const double> x0, std::uint64_t seed, const CmaOptions& options)
    : SearchMethod(x0), options_(options), perturbations_(seed, Noise::normal, x0.size()) {
  choose_weights();
  reset();
}

/// Table 1 of the tutorial.
void CmaEs::choose_weights() {
  const auto n = static_cast<double>(dimension());
  const std::size_t count = options_.population, parents = count / 2;
  std::vector<double>& w = weights_;
  w.resize(count);
  double sum = 0, squares = 0, bad_sum = 0, bad_squares = 0;
  for (std::size_t i = 0; i < count; ++i) {
    w[i] = std::log((static_cast<double>(count) + 1) / 2) - std::log(static_cast<double>(i + 1));
    (i < parents ? sum : bad_sum) += w[i];
    (i < parents ? squares : bad_squares) += w[i] * w[i];
  }
  effective_ = sum * sum / squares;
  const double bad_effective = bad_squares > 0 ? bad_sum * bad_sum / bad_squares : 0;
  c_sigma_ = (effective_ + 2) / (n + effective_ + 5);
  damping_ = 1 + 2 * std::max(0.0, std::sqrt((effective_ - 1) / (n + 1)) - 1) + c_sigma_;
  c_path_ = (4 + effective_ / n) / (n + 4 + 2 * effective_ / n);
  const double faster = options_.separable ? (n + 2) / 3 : 1;
  c_one_ = std::min(1.0, faster * 2 / ((n + 1.3) * (n + 1.3) + effective_));
  c_mu_ =
      std::min(1 - c_one_, faster * 2 * (0.25 + effective_ + 1 / effective_ - 2) / ((n + 2) * (n + 2) + effective_));
  double negative = 0, positive = 0;
  for (const double weight : w) (weight < 0 ? negative : positive) += std::abs(weight);
  double bad = 0;
  if (options_.active && c_mu_ > 0) {
    bad = std::min({1 + c_one_ / c_mu_, 1 + 2 * bad_effective / (effective_ + 2), (1 - c_one_ - c_mu_) / (n * c_mu_)});
  }
  for (double& weight : w) weight *= weight >= 0 ? 1 / positive : bad / negative;
  length_ = std::sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n));
}

void CmaEs::reset() {
  const std::size_t n = dimension();
  sigma_ = options_.sigma;
  sigma_path_.assign(n, 0);
  path_.assign(n, 0);
  scales_.assign(n, 1);
  generations_ = decomposed_ = 0;
  if (options_.separable) {
    covariance_.assign(n, 1);
    return;
  }
  covariance_.assign(n * n, 0);
  for (std::size_t i = 0; i < n; ++i) covariance_[i * n + i] = 1;
  axes_ = covariance_;
}

Gains CmaEs::gains(std::uint64_t) const noexcept {
  return {sigma_, sigma_ * *std::max_element(scales_.begin(), scales_.end())};
}

void CmaEs::shape(std::span<const double> z, std::span<double> y) const {
  const std::size_t n = dimension();
  if (options_.separable) {
    for (std::size_t j = 0; j < n; ++j) y[j] = scales_[j] * z[j];
    return;
  }
  std::fill(y.begin(), y.end(), 0.0);
  for (std::size_t i = 0; i < n; ++i) {
    const double along = scales_[i] * z[i];
    const double* const axis = axes_.data() + i * n;
    for (std::size_t j = 0; j < n; ++j) y[j] += along * axis[j];
  }
}

void CmaEs::ask(std::uint64_t step, std::size_t first, MatrixView<double> rows) const {
  const std::size_t n = dimension();
  std::vector<double> z(n), y(n);
  for (std::size_t c = 0; c < rows.rows; ++c) {
    perturbations_.write(first + c, step, z);
    shape(z, y);
    for (std::size_t j = 0; j < n; ++j) rows(c, j) = iterate_[j] + sigma_ * y[j];
  }
}

void CmaEs::tell(std::uint64_t step, std::span<const double> losses, std::size_t threads) {
  const std::size_t n = dimension(), count = options_.population;
  std::vector<double> z(count * n), y(count * n);
  parallel_for(threads, count, 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t c = begin; c < end; ++c) {
      perturbations_.write(c, step, std::span(z).subspan(c * n, n));
      shape(std::span(z).subspan(c * n, n), std::span(y).subspan(c * n, n));
    }
  });
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return losses[a] < losses[b]; });

  std::vector<double> mean_y(n), white(n);
  for (std::size_t i = 0; i < count / 2; ++i) {
    const double weight = weights_[i];
    const double* const own_y = y.data() + order[i] * n;
    const double* const own_z = z.data() + order[i] * n;
    for (std::size_t j = 0; j < n; ++j) {
      mean_y[j] += weight * own_y[j];
      white[j] += weight * own_z[j];
    }
  }
  for (std::size_t j = 0; j < n; ++j) iterate_[j] += sigma_ * mean_y[j];
  if (!options_.separable) {  // C^{-1/2} y = B z
    const std::vector<double> along = white;
    std::fill(white.begin(), white.end(), 0.0);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) white[j] += along[i] * axes_[i * n + j];
    }
  }
  ++generations_;
  const double share = std::sqrt(c_sigma_ * (2 - c_sigma_) * effective_);
  for (std::size_t j = 0; j < n; ++j) sigma_path_[j] = (1 - c_sigma_) * sigma_path_[j] + share * white[j];
  const double path_length = std::sqrt(inner(sigma_path_.data(), sigma_path_.data(), n));
  const double begun = std::sqrt(1 - std::pow(1 - c_sigma_, 2 * static_cast<double>(generations_)));
  const bool moving = path_length / begun < (1.4 + 2 / (static_cast<double>(n) + 1)) * length_;
  const double path_share = moving ? std::sqrt(c_path_ * (2 - c_path_) * effective_) : 0;
  for (std::size_t j = 0; j < n; ++j) path_[j] = (1 - c_path_) * path_[j] + path_share * mean_y[j];
  update_covariance(z, y, order, moving ? 0 : c_path_ * (2 - c_path_));
  sigma_ *= std::exp(std::min(1.0, c_sigma_ / damping_ * (path_length / length_ - 1)));
  // A plateau as wide as most of the candidates: the tutorial's program, Appendix C, widens the search.
  const auto most = static_cast<std::size_t>(std::ceil(0.7 * static_cast<double>(count))) - 1;
  if (losses[order[0]] == losses[order[most]]) sigma_ *= std::exp(0.2 + c_sigma_ / damping_);
}

void CmaEs::update_covariance(std::span<const double> z, std::span<const double> y, std::span<const std::size_t> order,
                              double stalled) {
  const std::size_t n = dimension();
  const double weight_sum = std::accumulate(weights_.begin(), weights_.end(), 0.0);
  const double kept = 1 + c_one_ * stalled - c_one_ - c_mu_ * weight_sum;
  std::vector<double> shares(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    shares[i] = c_mu_ * weights_[i];
    if (weights_[i] >= 0) continue;
    const double* const own = z.data() + order[i] * n;
    shares[i] *= static_cast<double>(n) / std::max(inner(own, own, n), 1e-300);
  }
  if (options_.separable) {
    for (std::size_t j = 0; j < n; ++j) {
      double value = kept * covariance_[j] + c_one_ * path_[j] * path_[j];
      for (std::size_t i = 0; i < order.size(); ++i) value += shares[i] * y[order[i] * n + j] * y[order[i] * n + j];
      covariance_[j] = value;
      scales_[j] = std::sqrt(std::max(value, 0.0));
    }
    return;
  }
  for (std::size_t r = 0; r < n; ++r) {
    double* const row = covariance_.data() + r * n;
    const double along = c_one_ * path_[r];
    for (std::size_t j = 0; j <= r; ++j) row[j] = kept * row[j] + along * path_[j];
    for (std::size_t i = 0; i < order.size(); ++i) {
      const double* const own = y.data() + order[i] * n;
      const double factor = shares[i] * own[r];
      for (std::size_t j = 0; j <= r; ++j) row[j] += factor * own[j];
    }
  }
  const double period = 1 / (10 * static_cast<double>(n) * (c_one_ + c_mu_));
  if (static_cast<double>(generations_ - decomposed_) >= period) decompose();
}

void CmaEs::decompose() {
  const std::size_t n = dimension();
  decomposed_ = generations_;
  linalg::symmetric_eigen(covariance_, n, scales_, axes_);
  const double floor = least_eigenvalue * std::max(scales_[n - 1], 0.0);
  for (double& value : scales_) value = std::sqrt(std::max(value, floor));
}

}  // namespace dd::polystep
