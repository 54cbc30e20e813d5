#pragma once

#include <limits>

namespace dd {

/// No bound, or a value that anything found is better than.
inline constexpr double infinity = std::numeric_limits<double>::infinity();

}  // namespace dd
