// The slow scalar truth of the core kernels, written from the formula.
#pragma once

#include <cstddef>
#include <span>

namespace dd::reference {

/// sum_i x_i in compensated float64 (Neumaier): exact to the last bit or two.
template <class T>
double sum(std::span<const T> values) noexcept;
/// sum_i a_i b_i, products rounded, their sum as above.
template <class T>
double dot(std::span<const T> a, std::span<const T> b);
/// max_i |x_i|; NaN when there is a NaN; 0 for none.
template <class T>
double max_abs(std::span<const T> values) noexcept;
/// Smallest i with x_i NaN or infinite, or the number of elements.
template <class T>
std::size_t first_non_finite(std::span<const T> values) noexcept;

}  // namespace dd::reference
