// Weights of residual blocks, which may decay while a run goes on: a regularisation that is strong where the state is
// far from the solution and gone where it is near. Source: specs/odil.md, section 6.3 (weight * 0.5^(epoch / period)).
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "odil/problem.hpp"

namespace dd::odil {

struct BlockWeight {
  double initial = 1;
  double half_life = INFINITY;  ///< in iterations

  double at(std::uint64_t iteration) const noexcept {
    return initial * std::exp2(-static_cast<double>(iteration) / half_life);
  }
};

/// One for each block of a problem, or none at all, which means 1 for each.
using BlockWeights = std::vector<BlockWeight>;

inline bool decays(const BlockWeights& weights) noexcept {
  for (const BlockWeight& weight : weights) {
    if (std::isfinite(weight.half_life)) return true;
  }
  return false;
}

/// What multiplies the sums of the blocks in the loss at that iteration.
inline std::vector<double> scales_at(const Problem& problem, Normalization normalization, const BlockWeights& weights,
                                     std::uint64_t iteration) {
  std::vector<double> now;
  for (const BlockWeight& weight : weights) now.push_back(weight.at(iteration));
  return problem.scales(normalization, now);
}

}  // namespace dd::odil
