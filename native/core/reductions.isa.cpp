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

// Once an accumulator is NaN, only another NaN replaces it.
template <class T>
inline T larger_or_nan(T best, T candidate) noexcept {
  return ((candidate > best) | (candidate != candidate)) ? candidate : best;
}

template <class T>
inline T absolute(T value) noexcept {
  if constexpr (sizeof(T) == 4) {
    return __builtin_fabsf(value);
  } else {
    return __builtin_fabs(value);
  }
}

template <class T>
inline T max_abs_chunk(const T* __restrict values, size_type count) noexcept {
  constexpr size_type lanes = 256 / sizeof(T);
  T best[lanes] = {};
  size_type i = 0;
  for (; i + lanes <= count; i += lanes) {
    for (size_type lane = 0; lane < lanes; ++lane) best[lane] = larger_or_nan(best[lane], absolute(values[i + lane]));
  }
  for (size_type lane = 0; i + lane < count; ++lane) best[lane] = larger_or_nan(best[lane], absolute(values[i + lane]));
  for (size_type half = lanes / 2; half > 0; half /= 2) {
    for (size_type lane = 0; lane < half; ++lane) best[lane] = larger_or_nan(best[lane], best[lane + half]);
  }
  return best[0];
}

// x - x is zero exactly for finite x. Blocks without a hit are passed without a branch per element.
template <class T>
inline size_type first_non_finite_chunk(const T* __restrict values, size_type count) noexcept {
  constexpr size_type lanes = 256 / sizeof(T);
  size_type i = 0;
  for (; i + lanes <= count; i += lanes) {
    T zeros = 0;
    T partial[lanes];
    for (size_type lane = 0; lane < lanes; ++lane) partial[lane] = values[i + lane] - values[i + lane];
    for (size_type half = lanes / 2; half > 0; half /= 2) {
      for (size_type lane = 0; lane < half; ++lane) partial[lane] += partial[lane + half];
    }
    zeros = partial[0];
    if (!(zeros == 0)) break;
  }
  for (; i < count; ++i) {
    if (!(values[i] - values[i] == 0)) return i;
  }
  return count;
}

}  // namespace

DD_ISA_ENTRY(float, sum_chunk_float32)(const float* values, size_type count) { return sum_chunk(values, count); }
DD_ISA_ENTRY(double, sum_chunk_float64)(const double* values, size_type count) { return sum_chunk(values, count); }
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
