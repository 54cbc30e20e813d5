// The transposed product J^T w of a block's largest region, gathered: every element of the result is computed from the
// weights around it, along the contiguous axis, or along all axes where coefficients are constant. Nothing is written
// twice and nothing is packed.
//
// Source: specs/odil-engine.md, section 2.3.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "odil/pass.hpp"

namespace dd::odil {

struct Gather {
  std::optional<FlatPass> constant;        ///< adds what has constant coefficients
  std::optional<FlatPass> constant_first;  ///< the same, for targets that hold nothing yet
  std::vector<std::size_t> constant_fields;
  std::optional<FlatPass> varying;                     ///< adds the rest
  std::ptrdiff_t first = 0, last = 0;                  ///< the region's points lie in this flat range, ends included
  std::ptrdiff_t constant_low = 0, constant_high = 0;  ///< how far targets reach beyond it
  std::ptrdiff_t varying_low = 0, varying_high = 0;

  /// Points at the start and at the end of the region that are left out: their neighbours must not be read.
  std::ptrdiff_t rim() const noexcept { return varying_high - varying_low; }
  /// How far from its own place weights are read.
  std::size_t reach() const noexcept {
    return static_cast<std::size_t>(std::max({constant_high, -constant_low, varying_high - varying_low}));
  }
};

/// None where the region is not regular enough. `domain`: what the block reads, the weights last.
std::optional<Gather> make_gather(Graph& graph, const Domain& domain, std::size_t fields, const Shape& shape,
                                  const Region& region);

}  // namespace dd::odil
