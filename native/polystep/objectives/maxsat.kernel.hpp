// Changes of MAX-SAT flips on blocks: a variable a thread.
#pragma once

#include "core/block.hpp"

namespace dd::polystep {

/// As MaxSatDelta. Grid: count over the width.
struct MaxSatDeltaBlock {
  static constexpr BlockShape shape{128};
  template <class B>
  using Shared = NoShared;

  const std::uint32_t* starts;
  const std::uint32_t* occurrences;
  const std::uint8_t* counts;
  const std::int64_t* weights;
  const std::uint8_t* assignment;
  const std::uint32_t* variables;
  std::size_t count;
  std::int64_t* out;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    const std::size_t first = std::size_t{b.block_x()} * B::threads;
    b.each([&](unsigned t) {
      if (first + t >= count) return;
      const std::uint32_t variable = variables[first + t], inverted = assignment[variable] != 0 ? 0u : 1u;
      std::int64_t delta = 0;
      for (std::uint32_t i = starts[variable]; i < starts[variable + 1]; ++i) {
        const std::uint32_t clause = occurrences[i] >> 1, truth = (occurrences[i] & 1u) ^ inverted;
        if (counts[clause] != truth) continue;
        const std::int64_t weight = weights == nullptr ? 1 : weights[clause];
        delta += truth != 0 ? weight : -weight;
      }
      out[first + t] = delta;
    });
  }
};

}  // namespace dd::polystep

DD_BLOCK_KERNEL(maxsat_delta, dd::polystep::MaxSatDeltaBlock)
