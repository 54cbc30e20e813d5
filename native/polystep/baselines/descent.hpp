// From a gradient estimate to a step.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace dd::polystep {

/// adam: Kingma and Ba, arXiv 1412.6980, coefficients 0.9 and 0.999. momentum: v <- 0.9 v + g, x <- x - rate v.
/// plain: x <- x - rate g.
enum class DescentRule : std::uint8_t { adam, momentum, plain };

class Descent {
 public:
  Descent(DescentRule rule, std::size_t dimension) : rule_(rule) {
    if (rule != DescentRule::plain) first_.resize(dimension);
    if (rule == DescentRule::adam) second_.resize(dimension);
  }

  void reset() {
    first_.assign(first_.size(), 0);
    second_.assign(second_.size(), 0);
    steps_ = 0;
  }

  void step(std::span<const double> gradient, double rate, std::span<double> x) {
    constexpr double first_share = 0.9, second_share = 0.999, least = 1e-8;
    ++steps_;
    if (rule_ == DescentRule::plain) {
      for (std::size_t i = 0; i < x.size(); ++i) x[i] -= rate * gradient[i];
      return;
    }
    if (rule_ == DescentRule::momentum) {
      for (std::size_t i = 0; i < x.size(); ++i) {
        first_[i] = first_share * first_[i] + gradient[i];
        x[i] -= rate * first_[i];
      }
      return;
    }
    const auto count = static_cast<double>(steps_);
    const double first_scale = 1 / (1 - std::pow(first_share, count));
    const double second_scale = 1 / (1 - std::pow(second_share, count));
    for (std::size_t i = 0; i < x.size(); ++i) {
      first_[i] = first_share * first_[i] + (1 - first_share) * gradient[i];
      second_[i] = second_share * second_[i] + (1 - second_share) * gradient[i] * gradient[i];
      x[i] -= rate * first_scale * first_[i] / (std::sqrt(second_scale * second_[i]) + least);
    }
  }

 private:
  DescentRule rule_;
  std::vector<double> first_, second_;
  std::uint64_t steps_ = 0;
};

}  // namespace dd::polystep
