// What MAX-SAT asks of the kernel compiled once per ISA level: by how much the unsatisfied weight changes when a
// variable is flipped, for a few variables at once.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/isa.hpp"

namespace dd::polystep {

/// Bytes behind the last count that the kernel may read (never uses).
inline constexpr std::size_t maxsat_count_padding = 64;

/// out[i] = sum over the occurrences of variables[i]: + weight where its literal is the only true one, - weight where
/// no literal is true.
struct MaxSatDelta {
  const std::uint32_t* starts;       ///< of each variable's occurrences
  const std::uint32_t* occurrences;  ///< 2 clause + 1, or 2 clause where the variable is negated
  const std::uint8_t* counts;        ///< true literals of each clause, and padding
  const std::int64_t* weights;       ///< null: one each
  const std::uint8_t* assignment;    ///< 0 or 1 each variable
  const std::uint32_t* variables;
  std::size_t count;
  std::int64_t* out;
};

DD_ISA_KERNEL(maxsat_delta, void(const MaxSatDelta*));

}  // namespace dd::polystep
