// How block kernels find codes: the arithmetic of quantize/grid.hpp on a device.
#pragma once

#include "core/block.hpp"

namespace dd::quantize {

/// Half to even.
DD_DEVICE inline float round_to_even(float value) {
#ifdef __CUDACC__
  return ::rintf(value);
#else
  return std::nearbyint(value);
#endif
}

/// Half to even, values beyond a million clamped to it.
DD_DEVICE inline float round_to_code(float value) {
  return round_to_even(value < -1e6f ? -1e6f : value > 1e6f ? 1e6f : value);
}

/// Correctly rounded whatever the compiler's defaults for division are.
DD_DEVICE inline float divide(float a, float b) {
#ifdef __CUDACC__
  return __fdiv_rn(a, b);
#else
  return a / b;
#endif
}

}  // namespace dd::quantize
