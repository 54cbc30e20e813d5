// The step of a walk: learn row weights where the present residual is above the target, then move along one direction.
#pragma once

#include <cstddef>

#include "core/isa.hpp"

namespace dd::dmmv {

/// With e(z) = |z| - target, or max(z - upper, lower - z) where thresholds are given:
///   weight_i += increment where e(residual_i) > 0 (and weight_i > 0);  residual += sign * effect;
///   largest = max_i e(residual_i) over rows of positive weight;  penalty = sum_i weight_i max(0, e(residual_i)),
/// summed in the order of kernel K2.
template <class Real>
struct WalkStep {
  const Real* effect;
  Real* residual;
  Real* weight;
  const Real* upper;
  const Real* lower;
  std::size_t rows;
  Real target;
  Real sign;
  Real increment;
  Real largest;  ///< out
  Real penalty;  ///< out
};

DD_ISA_KERNEL(walk_step_float64, void(WalkStep<double>*));

}  // namespace dd::dmmv
