#include "polystep/plan.hpp"

#include <algorithm>

namespace dd::polystep {

TransportPlan assign(std::vector<double> costs, std::span<const double> a, std::span<const double> b,
                     const PlanOptions& options, std::span<const double> uniforms, RunControl& control) {
  const std::size_t vertices = b.size();
  replace_infeasible(costs, infeasible_cost(largest_finite(costs)));
  const ScaledCosts scaled = scale_costs(costs, vertices, options.scale, options.divisor);
  double shift = scaled.shift;
  TransportPlan result;
  if (is_row_rule(options.rule)) {
    const RowRule rule{options.rule, options.rule == Rule::tempered_softmax ? options.tau : options.transport.epsilon,
                       options.k};
    result.plan.resize(costs.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      const std::span<const double> row = std::span(costs).subspan(i * vertices, vertices);
      const std::span<double> weights = std::span(result.plan).subspan(i * vertices, vertices);
      row_weights(rule, row, uniforms.empty() ? 0.5 : uniforms[i], weights);
      for (std::size_t n = 0; n < vertices; ++n) {
        weights[n] *= a[i];
        result.objective += weights[n] * row[n];
      }
    }
    result.iterations = 1;
    result.converged = true;
  } else {
    const double least = *std::min_element(costs.begin(), costs.end());
    for (double& cost : costs) cost -= least;
    shift += least;
    result = options.rule == Rule::kl ? kl_relaxed(costs, a, b, options.lambda, options.transport, control)
                                      : sinkhorn(costs, a, b, options.transport, control);
  }
  double mass = 0;
  for (const double part : a) mass += part;
  if (options.rule != Rule::linear) result.objective += shift * mass;
  return result;
}

}  // namespace dd::polystep
