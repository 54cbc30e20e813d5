// What the plain side of range candidates asks of the kernel compiled once per ISA level: one row, lanes being columns,
// which are padded to a multiple of 16 with columns of importance 0.
#pragma once

#include <cstddef>

#include "core/isa.hpp"

namespace dd::quantize {

inline constexpr std::size_t range_candidate_lanes = 16;

/// For each candidate: scale_j = range f_c inverse_j, code = clamp(round(w_j / scale_j), low_j, high_j) in steps from
/// 0.
struct RangeCandidatesArguments {
  std::size_t columns, candidates;
  const float* weights;
  const float* importance;
  const float* inverse;  // 1 / (levels - 1); 0 where there is one level
  const float* divisor;  // levels - 1; 0 where there is one level
  const float* low;      // -zero
  const float* high;     // levels - 1 - zero
  float range;
  const float* factors;
  float* losses;
};

DD_ISA_KERNEL(range_candidates_row, void(const RangeCandidatesArguments*));

}  // namespace dd::quantize
