#include "polystep/leading_directions.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "linalg/symmetric_eigen.hpp"

namespace dd::polystep {

std::size_t leading_count(const LeadingOptions& options, std::size_t rank, std::uint64_t step) noexcept {
  double share = options.share;
  if (options.kind == LeadingKind::displacements && options.steps > 0) {
    share *= std::min(1.0, static_cast<double>(step) / static_cast<double>(options.steps));
  }
  const auto count = static_cast<std::size_t>(share * static_cast<double>(rank));
  return std::clamp<std::size_t>(count, 1, rank);
}

std::vector<double> principal_directions(std::span<const double> history, std::size_t m, std::size_t count) {
  const std::size_t h = m == 0 ? 0 : history.size() / m;
  std::vector<double> gram(h * h), values(h), vectors(h * h);
  for (std::size_t i = 0; i < h; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = 0;
      for (std::size_t k = 0; k < m; ++k) sum += history[i * m + k] * history[j * m + k];
      gram[i * h + j] = gram[j * h + i] = sum;
    }
  }
  if (h == 0 || !std::all_of(gram.begin(), gram.end(), [](double value) { return std::isfinite(value); })) return {};
  linalg::symmetric_eigen(gram, h, values, vectors);
  std::vector<double> directions;
  for (std::size_t k = h; k-- > 0 && directions.size() < count * m;) {  // ascending values: from the back
    // Squares of singular values: below the square root of what a double resolves nothing is left of a direction.
    if (!(values[k] > 1e-12 * values[h - 1]) || !(values[k] > 0)) break;
    const std::size_t at = directions.size();
    directions.resize(at + m, 0.0);
    const std::span<double> to = std::span(directions).subspan(at, m);
    for (std::size_t i = 0; i < h; ++i) {
      for (std::size_t j = 0; j < m; ++j) to[j] += vectors[k * h + i] * history[i * m + j];
    }
    double squares = 0, largest = 0;
    for (const double value : to) {
      squares += value * value;
      if (std::abs(value) > std::abs(largest)) largest = value;
    }
    const double scale = (largest < 0 ? -1 : 1) / std::sqrt(squares);
    for (double& value : to) value *= scale;
  }
  return directions;
}

double weight_entropy(std::span<const double> weights, double mass) noexcept {
  double entropy = 0;
  for (const double weight : weights) {
    const double share = weight / mass;
    entropy -= share * std::log(std::max(share, 1e-30));
  }
  return entropy;
}

std::vector<std::size_t> confident_rows(std::span<const double> plan, std::size_t vertices, std::size_t count) {
  const std::size_t rows = plan.size() / vertices;
  std::vector<double> confidence(rows);
  for (std::size_t p = 0; p < rows; ++p) {
    const std::span<const double> own = plan.subspan(p * vertices, vertices);
    const double mass = std::max(std::accumulate(own.begin(), own.end(), 0.0), 1e-10);
    confidence[p] = 1 / (weight_entropy(own, mass) + 1e-6);
  }
  std::vector<std::size_t> order(rows);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return confidence[a] > confidence[b]; });
  order.resize(std::min(count, rows));
  return order;
}

}  // namespace dd::polystep
