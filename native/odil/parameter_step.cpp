#include "odil/parameter_step.hpp"

#include <cmath>
#include <string>

#include "core/error.hpp"
#include "linalg/cholesky.hpp"

namespace dd::odil {

ParameterScale::ParameterScale(std::span<const ParameterRange> ranges, std::span<const double> parameters)
    : ranges_(ranges.begin(), ranges.end()) {
  for (std::size_t k = 0; k < ranges.size(); ++k) {
    const ParameterRange& range = ranges[k];
    const std::string name = "parameters[" + std::to_string(k) + "]";
    if (range.logarithm && !(parameters[k] > 0)) {
      throw Error(ErrorCode::invalid_argument_value, name,
                  "`" + name + "` must be positive, as its logarithm is moved, got " + std::to_string(parameters[k]));
    }
    if (!(parameters[k] >= range.lower && parameters[k] <= range.upper)) {
      throw Error(ErrorCode::out_of_range, name,
                  "`" + name + "` must start between its bounds " + std::to_string(range.lower) + " and " +
                      std::to_string(range.upper) + ", got " + std::to_string(parameters[k]));
    }
    if (!(range.scale > 0)) throw Error(ErrorCode::out_of_range, name, "`" + name + "` must have a positive scale");
    lower_.push_back(range.logarithm ? (range.lower > 0 ? std::log(range.lower) : -INFINITY) : range.lower);
    upper_.push_back(range.logarithm ? std::log(range.upper) : range.upper);
  }
}

std::vector<double> ParameterScale::inner(std::span<const double> parameters) const {
  std::vector<double> result(parameters.begin(), parameters.end());
  for (std::size_t k = 0; k < result.size(); ++k) {
    if (ranges_[k].logarithm) result[k] = std::log(result[k]);
  }
  return result;
}

std::vector<double> ParameterScale::outer(std::span<const double> inner) const {
  std::vector<double> result(inner.begin(), inner.end());
  for (std::size_t k = 0; k < result.size(); ++k) {
    if (!ranges_[k].logarithm) continue;
    // At a bound the bound itself, not what is left of it after a logarithm.
    result[k] = inner[k] <= lower_[k]   ? ranges_[k].lower
                : inner[k] >= upper_[k] ? ranges_[k].upper
                                        : std::exp(inner[k]);
  }
  return result;
}

std::vector<double> ParameterScale::factors(std::span<const double> parameters) const {
  std::vector<double> result(parameters.size(), 1);
  for (std::size_t k = 0; k < result.size(); ++k) {
    if (ranges_[k].logarithm) result[k] = parameters[k];
  }
  return result;
}

ParameterSystem::ParameterSystem(std::span<const double> normal, const ParameterScale& scale, double mu,
                                 std::vector<bool> free)
    : size_(scale.size()) {
  for (std::size_t k = 0; k < size_; ++k) {
    if (free[k]) free_.push_back(k);
  }
  const std::size_t n = free_.size();
  factor_.resize(n * n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) factor_[i + n * j] = normal[free_[i] * size_ + free_[j]];
    const double step = scale.step(free_[i]);
    factor_[i + n * i] += mu / (step * step);
  }
  if (n == 0) return;
  const std::size_t bad = linalg::cholesky(MatrixView<double>::column_major(factor_.data(), n, n));
  if (bad != 0) {
    const std::string name = "parameters[" + std::to_string(free_[bad - 1]) + "]";
    throw Error(ErrorCode::singular, name, "`" + name + "` is not determined: give it a prior, or a smaller scale");
  }
}

std::vector<double> ParameterSystem::solve(std::span<const double> right_side) const {
  const std::size_t n = free_.size();
  std::vector<double> result(size_, 0), own(n);
  if (n == 0) return result;
  for (std::size_t i = 0; i < n; ++i) own[i] = right_side[free_[i]];
  const std::size_t bad = linalg::cholesky_solve(MatrixView<const double>::column_major(factor_.data(), n, n),
                                                 MatrixView<double>::column_major(own.data(), n, 1));
  if (bad != 0) throw Error(ErrorCode::internal, "", "a factor with a zero on its diagonal");
  for (std::size_t i = 0; i < n; ++i) result[free_[i]] = own[i];
  return result;
}

std::vector<double> ParameterSystem::bounded_step(std::span<const double> normal, const ParameterScale& scale,
                                                  double mu, std::vector<bool> free, std::span<const double> slope,
                                                  std::span<const double> inner) {
  const std::size_t size = scale.size();
  std::vector<double> fixed(size, 0);
  for (;;) {
    std::vector<double> right_side(size, 0);
    for (std::size_t k = 0; k < size; ++k) {
      right_side[k] = -slope[k];
      for (std::size_t l = 0; l < size; ++l) right_side[k] -= free[l] ? 0 : normal[k * size + l] * fixed[l];
    }
    std::vector<double> step = ParameterSystem(normal, scale, mu, free).solve(right_side);
    // The component that leaves its bounds first, in units of the way to the bound.
    std::size_t first = size;
    double least = 1;
    for (std::size_t k = 0; k < size; ++k) {
      if (!free[k]) {
        step[k] = fixed[k];
        continue;
      }
      const double room = step[k] < 0 ? scale.lower(k) - inner[k] : scale.upper(k) - inner[k];
      if (std::fabs(step[k]) <= std::fabs(room)) continue;
      const double share = std::fabs(room) / std::fabs(step[k]);
      if (share < least) {
        least = share;
        first = k;
      }
    }
    if (first == size) return step;
    fixed[first] = step[first] < 0 ? scale.lower(first) - inner[first] : scale.upper(first) - inner[first];
    free[first] = false;
  }
}

}  // namespace dd::odil
