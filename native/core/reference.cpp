// Loops, nothing clever.
#include "core/reference.hpp"

#include <cmath>
#include <limits>
#include <vector>

namespace dd::reference {

template <class T>
double sum(std::span<const T> values) noexcept {
  double total = 0;
  double lost = 0;
  double plain = 0;  // infinities and NaN go their own way through the compensation
  for (const T element : values) {
    const double value = static_cast<double>(element);
    const double next = total + value;
    lost += std::fabs(total) >= std::fabs(value) ? (total - next) + value : (value - next) + total;
    total = next;
    plain += value;
  }
  return std::isfinite(plain) ? total + lost : plain;
}

template <class T>
double dot(std::span<const T> a, std::span<const T> b) {
  std::vector<double> products(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) products[i] = static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum<double>(products);
}

template <class T>
double max_abs(std::span<const T> values) noexcept {
  double largest = 0;
  for (const T element : values) {
    if (std::isnan(element)) return std::numeric_limits<double>::quiet_NaN();
    largest = std::fmax(largest, std::fabs(static_cast<double>(element)));
  }
  return largest;
}

template <class T>
std::size_t first_non_finite(std::span<const T> values) noexcept {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) return i;
  }
  return values.size();
}

template double sum(std::span<const float>) noexcept;
template double sum(std::span<const double>) noexcept;
template double dot(std::span<const float>, std::span<const float>);
template double dot(std::span<const double>, std::span<const double>);
template double max_abs(std::span<const float>) noexcept;
template double max_abs(std::span<const double>) noexcept;
template std::size_t first_non_finite(std::span<const float>) noexcept;
template std::size_t first_non_finite(std::span<const double>) noexcept;

}  // namespace dd::reference
