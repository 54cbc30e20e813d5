// Sums of long vectors, as iterative solvers and optimisers need them.
#pragma once

#include <cstddef>
#include <span>

#include "linalg/vectors_isa.hpp"

namespace dd::linalg {

/// The kernel of the element type, on the calling thread.
inline void combine_vectors(const CombineVectors<double>& arguments) { combine_vectors_float64(&arguments); }
inline void combine_vectors(const CombineVectors<float>& arguments) { combine_vectors_float32(&arguments); }

/// out = addend + sum_k weights[k] vectors[k], all of length out.size(); an empty addend is zero. `out` may be the
/// addend or one of the vectors.
template <class T>
void combine(std::span<const T* const> vectors, std::span<const T> weights, std::span<const T> addend, std::span<T> out,
             std::size_t threads);

/// y += a x.
template <class T>
void add_scaled(T a, std::span<const T> x, std::span<T> y, std::size_t threads);

/// y = x + a y.
template <class T>
void scale_and_add(T a, std::span<const T> x, std::span<T> y, std::size_t threads);

}  // namespace dd::linalg
