// What p-norm annealing asks of a proposal: the sum of powers of the residual after one move, and its largest entry.
#pragma once

#include <cstddef>

#include "core/isa.hpp"

namespace dd::dmmv {

/// With v_i = |residual_i + sign effect_i|: largest = max_i v_i and
/// sum = sum_i clamp(v_i scale, floor, 3)^(2^doublings), 0 without rows.
/// `floor` keeps powers away from denormal numbers, which are slow, and the ceiling away from infinity (3^64 < 2^102).
/// The order of the sum is fixed: lane l of 32 takes rows i with i mod 32 = l, then lanes are added in a tree, upper
/// half onto lower half. Nothing is fused, so every ISA level gives the same bits.
struct PowerSum {
  const float* residual;
  const float* effect;
  std::size_t rows;
  float sign;
  float scale;
  float floor;
  unsigned doublings;
  float largest;  ///< out
  float sum;      ///< out
};

DD_ISA_KERNEL(power_sum_float32, void(PowerSum*));

}  // namespace dd::dmmv
