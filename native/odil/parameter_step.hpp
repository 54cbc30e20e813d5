// The dense part of a step in control space: parameters on a scale where they may take any value between bounds, and
// the small system that eliminates them, with bounds kept by an active set.
//
// Source: specs/odil-engine.md, sections 3.2 and 3.5.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "odil/control_space.hpp"

namespace dd::odil {

/// Parameters as the solver moves them: themselves or their logarithms.
class ParameterScale {
 public:
  /// Throws Error(invalid_argument_value or out_of_range, "parameters[k]").
  ParameterScale(std::span<const ParameterRange> ranges, std::span<const double> parameters);

  std::size_t size() const noexcept { return ranges_.size(); }
  std::vector<double> inner(std::span<const double> parameters) const;
  std::vector<double> outer(std::span<const double> inner) const;
  /// d parameter / d inner.
  std::vector<double> factors(std::span<const double> parameters) const;
  double lower(std::size_t k) const noexcept { return lower_[k]; }  ///< of the inner value
  double upper(std::size_t k) const noexcept { return upper_[k]; }
  double step(std::size_t k) const noexcept { return ranges_[k].scale; }

 private:
  std::vector<ParameterRange> ranges_;
  std::vector<double> lower_, upper_;
};

/// (G + mu diag(1 / step^2)) x = b over the parameters that are free.
class ParameterSystem {
 public:
  /// `normal`: p x p, copied. `free`: the parameters that may move. Throws Error(singular, "parameters") where they are
  /// not determined even with the damping.
  ParameterSystem(std::span<const double> normal, const ParameterScale& scale, double mu, std::vector<bool> free);

  /// x, 0 at parameters that are not free.
  std::vector<double> solve(std::span<const double> right_side) const;

  /// The minimiser -G^-1 slope that stays between bounds: components that would cross one are set to it, one at a
  /// time, and the others are found again.
  static std::vector<double> bounded_step(std::span<const double> normal, const ParameterScale& scale, double mu,
                                          std::vector<bool> free, std::span<const double> slope,
                                          std::span<const double> inner);

 private:
  std::vector<std::size_t> free_;
  std::vector<double> factor_;
  std::size_t size_;
};

}  // namespace dd::odil
