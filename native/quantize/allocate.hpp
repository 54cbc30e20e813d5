// Bits to columns from their sensitivities alone: the closed forms, before anything is measured.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/run_control.hpp"

namespace dd::quantize {

/// Bits R_j for sensitivities c_j, each model with loss sum_j c_j 4^-R_j.
struct BitAllocation {
  std::vector<double> bits;
  std::vector<std::int32_t> levels;  ///< levels and official: how many values a column takes, bits = log2 levels
  double achieved_bits = 0;          ///< mean of bits
  double objective = 0;              ///< sum_j c_j 4^-R_j
  double gap = 0;                    ///< objective minus a lower bound for the same kind of bits
};

/// Real bits: R_j = clip(log2(c_j / theta) / 2, 0, max_bits) with theta such that their mean is `average_bits`
/// (reverse water-filling), exactly, by walking the sorted breakpoints: O(N log N). Sensitivities of 0 get 0 bits and
/// leave their share to the others; where those are all at max_bits the mean stays below.
/// @throws Error "sensitivities": empty, negative or not finite; "averageBits": not in [0, maxBits]
/// Source: Cover, Thomas, Elements of Information Theory, section 10.3; arXiv 2506.05664.
BitAllocation water_filling(std::span<const double> sensitivities, double average_bits, double max_bits);

/// Whole bits in 0 .. max_bits with sum floor(average_bits N + 1e-9), optimal: the next bit always goes where it gains
/// most, to the lower j on ties. O(N log N): it starts just below the water.
BitAllocation integer_bits(std::span<const double> sensitivities, double average_bits, int max_bits);

/// The level counts that `level_allocation` and layers choose among: 28 up to 256 (specs/quant.md, section 5.3), and
/// eight more up to 1024 for those who allow more than 8 bits.
std::span<const std::int32_t> level_options() noexcept;
/// What a column of `levels` levels costs: round(1024 log2 levels), in 1/1024 bit.
std::int64_t level_cost(std::int32_t levels) noexcept;

/// Any of `level_options` up to 2^max_bits; costs add up to at most floor(1024 average_bits N + 1e-6) units. Knapsack.
BitAllocation level_allocation(std::span<const double> sensitivities, double average_bits, double max_bits,
                               RunControl& control);

/// What the official code of BAQ does with measured losses, in float64: t_j = (2^(1.95 R) loss_j / geo)^(1/1.95), geo
/// the geometric mean of loss + 1e-8; round(max(t_j, 1)) levels. It keeps no budget: achieved_bits says what came out.
/// Source: arXiv 2506.05664, its code; specs/quant.md, section 5.2.
BitAllocation official_levels(std::span<const double> losses, double average_bits);

}  // namespace dd::quantize
