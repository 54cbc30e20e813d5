// The update of Adam, compiled once per ISA level.
#pragma once

#include <cstddef>

#include "core/isa.hpp"

namespace dd::odil {

/// m += (g - m) (1 - beta1), v += (g^2 - v) (1 - beta2), x -= rate m / (sqrt(v) + epsilon).
template <class T>
struct AdamUpdate {
  const T* gradient;
  T* x;
  T* first_moment;
  T* second_moment;
  std::size_t count;
  T rate, keep1, keep2, epsilon;  // keep: 1 - beta
};

DD_ISA_KERNEL(adam_update_float64, void(const AdamUpdate<double>*));
DD_ISA_KERNEL(adam_update_float32, void(const AdamUpdate<float>*));

}  // namespace dd::odil
