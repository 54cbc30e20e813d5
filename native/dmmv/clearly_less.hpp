#pragma once

#include <cmath>

#include "core/infinity.hpp"

namespace dd::dmmv {

/// Less by more than rounding; any number is less than infinity.
inline bool clearly_less(double a, double b) noexcept { return b == infinity ? a < b : a < b - 1e-12 * std::abs(b); }

}  // namespace dd::dmmv
