// Small problems are solved by looking at every assignment: an optimum with proof in milliseconds.
#pragma once

#include <cstdint>
#include <vector>

#include "core/run_control.hpp"
#include "dmmv/problem.hpp"

namespace dd::dmmv {

/// True when looking at every assignment reads at most about 8 million row activities (some 10 ms).
bool is_enumerable(const Problem& problem) noexcept;

struct Enumeration {
  std::vector<std::int32_t> indices;  ///< a best assignment, the first in the order of the walk
  std::uint64_t assignments = 0;      ///< looked at
  bool complete = false;              ///< false when `control` ended the walk: then nothing is proven
};

/// The best of all assignments, soft rows ignored. Neighbours in the walk differ in one variable by one level
/// (reflected mixed-radix Gray code; D. E. Knuth, The Art of Computer Programming 4A, 7.2.1.1, algorithm H), so an
/// assignment costs one column. Activities are recomputed regularly, so rounding does not accumulate.
Enumeration enumerate(const Problem& problem, const RunControl& control);

}  // namespace dd::dmmv
