// One chunk of each reduction of reductions.hpp. The lanes are an array of 256 bytes that the vectoriser keeps in
// registers (four of 64 bytes, eight of 32, sixteen of 16), so the order of additions is the same at every level.
#include "core/isa.hpp"

using size_type = decltype(sizeof(0));

namespace {

template <class T>
inline T sum_chunk(const T* __restrict values, size_type count) noexcept {
  constexpr size_type lanes = 256 / sizeof(T);
  T partial[lanes] = {};
  size_type i = 0;
  for (; i + lanes <= count; i += lanes) {
    for (size_type lane = 0; lane < lanes; ++lane) partial[lane] += values[i + lane];
  }
  for (size_type lane = 0; i + lane < count; ++lane) partial[lane] += values[i + lane];
  for (size_type half = lanes / 2; half > 0; half /= 2) {
    for (size_type lane = 0; lane < half; ++lane) partial[lane] += partial[lane + half];
  }
  return partial[0];
}

template <class T>
inline double dot_chunk(const T* __restrict a, const T* __restrict b, size_type count) noexcept {
  constexpr size_type lanes = 256 / sizeof(double);
  double partial[lanes] = {};
  size_type i = 0;
  for (; i + lanes <= count; i += lanes) {
    for (size_type lane = 0; lane < lanes; ++lane) {
      partial[lane] += static_cast<double>(a[i + lane]) * static_cast<double>(b[i + lane]);
    }
  }
  for (size_type lane = 0; i + lane < count; ++lane) {
    partial[lane] += static_cast<double>(a[i + lane]) * static_cast<double>(b[i + lane]);
  }
  for (size_type half = lanes / 2; half > 0; half /= 2) {
    for (size_type lane = 0; lane < half; ++lane) partial[lane] += partial[lane + half];
  }
  return partial[0];
}

// Without its sign a number orders as the integer of its bits, and NaN lies above infinity: the integer maximum is
// max |x| that keeps NaN, without a branch and (unlike a compare with NaN) at the speed of the load ports.
template <class T>
struct Bits;
template <>
struct Bits<float> {
  using type = int;
  static constexpr type without_sign = 0x7FFFFFFF, infinity = 0x7F800000;
};
template <>
struct Bits<double> {
  using type = long long;
  static constexpr type without_sign = 0x7FFFFFFFFFFFFFFF, infinity = 0x7FF0000000000000;
};

template <class T>
inline typename Bits<T>::type absolute_bits(const T* value) noexcept {
  typename Bits<T>::type bits;
  __builtin_memcpy(&bits, value, sizeof bits);
  return bits & Bits<T>::without_sign;
}

template <class T>
inline typename Bits<T>::type max_abs_bits(const T* __restrict values, size_type count) noexcept {
  constexpr size_type lanes = 256 / sizeof(T);
  typename Bits<T>::type best[lanes] = {};
  size_type i = 0;
  for (; i + lanes <= count; i += lanes) {
    for (size_type lane = 0; lane < lanes; ++lane) {
      const auto bits = absolute_bits(values + i + lane);
      best[lane] = bits > best[lane] ? bits : best[lane];
    }
  }
  for (size_type lane = 0; i + lane < count; ++lane) {
    const auto bits = absolute_bits(values + i + lane);
    best[lane] = bits > best[lane] ? bits : best[lane];
  }
  for (size_type half = lanes / 2; half > 0; half /= 2) {
    for (size_type lane = 0; lane < half; ++lane) {
      best[lane] = best[lane + half] > best[lane] ? best[lane + half] : best[lane];
    }
  }
  return best[0];
}

template <class T>
inline T max_abs_chunk(const T* __restrict values, size_type count) noexcept {
  const auto bits = max_abs_bits(values, count);
  T result;
  __builtin_memcpy(&result, &bits, sizeof result);
  return result;
}

// One test a chunk, and a search only where the chunk has a hit.
template <class T>
inline size_type first_non_finite_chunk(const T* __restrict values, size_type count) noexcept {
  if (max_abs_bits(values, count) < Bits<T>::infinity) return count;
  for (size_type i = 0; i < count; ++i) {
    if (absolute_bits(values + i) >= Bits<T>::infinity) return i;
  }
  return count;
}

}  // namespace

DD_ISA_ENTRY(float, sum_chunk_float32)(const float* values, size_type count) { return sum_chunk(values, count); }
DD_ISA_ENTRY(double, sum_chunk_float64)(const double* values, size_type count) { return sum_chunk(values, count); }
DD_ISA_ENTRY(double, dot_chunk_float32)(const float* a, const float* b, size_type count) {
  return dot_chunk(a, b, count);
}
DD_ISA_ENTRY(double, dot_chunk_float64)(const double* a, const double* b, size_type count) {
  return dot_chunk(a, b, count);
}
DD_ISA_ENTRY(float, max_abs_chunk_float32)(const float* values, size_type count) {
  return max_abs_chunk(values, count);
}
DD_ISA_ENTRY(double, max_abs_chunk_float64)(const double* values, size_type count) {
  return max_abs_chunk(values, count);
}
DD_ISA_ENTRY(size_type, first_non_finite_chunk_float32)(const float* values, size_type count) {
  return first_non_finite_chunk(values, count);
}
DD_ISA_ENTRY(size_type, first_non_finite_chunk_float64)(const double* values, size_type count) {
  return first_non_finite_chunk(values, count);
}
