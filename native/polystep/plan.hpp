// One assignment as a call of its own: costs in, plan out.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/run_control.hpp"
#include "polystep/assignment.hpp"
#include "polystep/costs.hpp"
#include "polystep/sinkhorn.hpp"

namespace dd::polystep {

struct PlanOptions {
  Rule rule = Rule::softmax;
  double tau = 1;  ///< of tempered_softmax; the others read transport.epsilon
  std::size_t k = 3;
  double lambda = 0;
  CostScale scale = CostScale::none;
  double divisor = 1;
  SinkhornOptions transport;
};

/// Sanitises, scales, assigns. costs: rows x vertices, any values; a, b: marginals. A row of which nothing is finite
/// counts as constant. uniforms: one per row, for Rule::sample. Weights of `linear` are multiplied by a_i like the
/// others, so that its rows sum to 0.
TransportPlan assign(std::vector<double> costs, std::span<const double> a, std::span<const double> b,
                     const PlanOptions& options, std::span<const double> uniforms, RunControl& control);

}  // namespace dd::polystep
