// What operations on long vectors ask of the kernels compiled once per ISA level.
#pragma once

#include <cstddef>

#include "core/isa.hpp"

namespace dd::linalg {

/// out = sum of `terms` vectors with weights (+ addend, which may be `out` itself).
template <class T>
struct CombineVectors {
  const T* const* vectors;
  const T* weights;
  std::size_t terms;
  const T* addend;
  T* out;
  std::size_t count;
};

DD_ISA_KERNEL(combine_vectors_float64, void(const CombineVectors<double>*));
DD_ISA_KERNEL(combine_vectors_float32, void(const CombineVectors<float>*));

}  // namespace dd::linalg
