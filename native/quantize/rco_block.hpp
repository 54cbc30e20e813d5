// The groups that share one budget of RCO: their logits on its manifold, and the Adam steps that move them there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "quantize/rco.hpp"
#include "quantize/rco_geometry.hpp"

namespace dd::quantize {

/// Arrays are groups x K, row by row.
struct RcoBlock {
  std::size_t options = 0;  ///< K
  std::vector<std::size_t> groups;
  std::vector<std::int64_t> costs;  ///< in whole units
  std::int64_t budget = 0;
  double real_budget = 0;
  std::optional<RcoGeometry> geometry;  ///< none where only one assignment costs so little or so much
  std::vector<double> alpha, first, second, gradient, normal, z, values;

  /// log p of option k of the block's group number i.
  double log_probability(std::size_t i, std::size_t k) const;
  /// Projection, Adam, retraction, transport with the gradient, which is 0 afterwards. `step` counts from 0.
  void descend(const RcoOptions& given, std::size_t step);
};

/// One for each budget, with logits where the options start.
/// @throws Error naming what is wrong with weights, costs and budgets together
std::vector<RcoBlock> make_rco_blocks(const RcoProblem& problem, const RcoOptions& given);

}  // namespace dd::quantize
