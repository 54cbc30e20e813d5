#include "polystep/baselines/random_search.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "polystep/rotation.hpp"

namespace dd::polystep {

RandomSearch::RandomSearch(std::span<const double> x0, std::uint64_t seed, RandomSearchOptions options)
    : SearchMethod(x0), seed_(seed), options_(std::move(options)), perturbations_(seed, Noise::normal, x0.size()) {}

Gains RandomSearch::gains(std::uint64_t step) const noexcept {
  const double sigma = options_.sigma * std::pow(options_.sigma_decay, static_cast<double>(step));
  return {sigma, sigma};
}

void RandomSearch::write(std::uint64_t step, std::size_t candidate, std::span<double> point) const {
  if (candidate == 0) {
    std::copy(iterate_.begin(), iterate_.end(), point.begin());
  } else if (!options_.lower.empty()) {
    philox_uniforms(seed_, static_cast<std::uint32_t>(candidate), static_cast<std::uint32_t>(step),
                    RandomStream::perturbations, point);
    for (std::size_t j = 0; j < point.size(); ++j) {
      point[j] = options_.lower[j] + point[j] * (options_.upper[j] - options_.lower[j]);
    }
  } else {
    const double sigma = gains(step).perturbation;
    perturbations_.write(candidate, step, point);
    for (std::size_t j = 0; j < point.size(); ++j) point[j] = iterate_[j] + sigma * point[j];
  }
}

void RandomSearch::ask(std::uint64_t step, std::size_t first, MatrixView<double> rows) const {
  for (std::size_t i = 0; i < rows.rows; ++i) {
    write(step, first + i, {rows.data + i * rows.row_stride, rows.columns});
  }
}

void RandomSearch::tell(std::uint64_t step, std::span<const double> losses, std::size_t) {
  const auto least = static_cast<std::size_t>(std::min_element(losses.begin(), losses.end()) - losses.begin());
  if (least == 0) return;
  std::vector<double> point(dimension());
  write(step, least, point);
  iterate_ = point;
}

}  // namespace dd::polystep
