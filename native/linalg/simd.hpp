// Vectors of the level's full width: loads, stores, broadcasts, the partial vector at the end of a column, and
// transposes of small blocks. Everything but fma and masks is plain vector extensions. Included by ISA files only.
#pragma once

#include <cstddef>

#include "linalg/fma.hpp"

namespace dd {
namespace {

template <class V, class T>
DD_INLINE V load_as(const T* from) {
  V value;
  __builtin_memcpy(&value, from, sizeof(V));  // one unaligned load: user memory is aligned to an element only
  return value;
}
template <class T>
DD_INLINE Vector<T> load(const T* from) {
  return load_as<Vector<T>>(from);
}
template <class T, class V>
DD_INLINE void store(T* to, V value) {
  __builtin_memcpy(to, &value, sizeof(V));
}
template <class T>
DD_INLINE Vector<T> broadcast(T value) {
  return value - Vector<T>{};  // exact for every value, -0 and NaN included; folds into a broadcast load
}

/// Lane by lane, low <= high; NaN gives low.
template <class V>
DD_INLINE V between(V value, V low, V high) {
  const V above = value > low ? value : low;
  return above < high ? above : high;
}

/// The signs of a comparison's lanes as bits.
#if defined(__AVX512F__)
DD_INLINE unsigned lane_bits(VectorN<int, 16> mask) {
  return _mm512_cmplt_epi32_mask((__m512i)mask, _mm512_setzero_si512());
}
#elif defined(__AVX2__)
DD_INLINE unsigned lane_bits(VectorN<int, 8> mask) { return static_cast<unsigned>(_mm256_movemask_ps((__m256)mask)); }
#elif defined(__SSE2__)
DD_INLINE unsigned lane_bits(VectorN<int, 4> mask) { return static_cast<unsigned>(_mm_movemask_ps((__m128)mask)); }
#else
DD_INLINE unsigned lane_bits(VectorN<int, 4> mask) {
  return (mask[0] != 0 ? 1u : 0u) | (mask[1] != 0 ? 2u : 0u) | (mask[2] != 0 ? 4u : 0u) | (mask[3] != 0 ? 8u : 0u);
}
#endif

#if defined(__AVX512F__)
DD_INLINE Float64s square_root(Float64s value) { return _mm512_maskz_sqrt_pd(0xff, value); }
DD_INLINE Float32s square_root(Float32s value) { return _mm512_maskz_sqrt_ps(0xffff, value); }
#elif defined(__AVX2__)
DD_INLINE Float64s square_root(Float64s value) { return _mm256_sqrt_pd(value); }
DD_INLINE Float32s square_root(Float32s value) { return _mm256_sqrt_ps(value); }
#elif defined(__SSE2__)
DD_INLINE Float64s square_root(Float64s value) { return _mm_sqrt_pd(value); }
DD_INLINE Float32s square_root(Float32s value) { return _mm_sqrt_ps(value); }
#elif defined(__aarch64__)
DD_INLINE Float64s square_root(Float64s value) { return (Float64s)vsqrtq_f64((float64x2_t)value); }
DD_INLINE Float32s square_root(Float32s value) { return (Float32s)vsqrtq_f32((float32x4_t)value); }
#else
DD_INLINE Float64s square_root(Float64s value) { return Float64s{__builtin_sqrt(value[0]), __builtin_sqrt(value[1])}; }
DD_INLINE Float32s square_root(Float32s value) {
  return Float32s{__builtin_sqrtf(value[0]), __builtin_sqrtf(value[1]), __builtin_sqrtf(value[2]),
                  __builtin_sqrtf(value[3])};
}
#endif

// The first `count` lanes (0 < count < lanes) of a vector at the end of a column: a load gives zeros in the others,
// a store leaves memory behind them alone, neither touches it. With this there are no scalar edges and no overlapping
// tiles, so kernels that work in place (triangular solve) share every line with those that do not.
#if defined(__AVX512F__)
template <class T>
struct Tail {
  unsigned mask = 0;
  explicit DD_INLINE Tail(std::size_t count) : mask((1u << count) - 1u) {}
};
DD_INLINE Float64s load_tail(const double* from, Tail<double> tail) {
  return _mm512_maskz_loadu_pd(static_cast<__mmask8>(tail.mask), from);
}
DD_INLINE Float32s load_tail(const float* from, Tail<float> tail) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>(tail.mask), from);
}
DD_INLINE void store_tail(double* to, Float64s value, Tail<double> tail) {
  _mm512_mask_storeu_pd(to, static_cast<__mmask8>(tail.mask), value);
}
DD_INLINE void store_tail(float* to, Float32s value, Tail<float> tail) {
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>(tail.mask), value);
}
#elif defined(__AVX2__)
alignas(64) constexpr int tail_bits[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
template <class T>
struct Tail {
  typedef long long Bits __attribute__((vector_size(32)));
  Bits mask;
  explicit DD_INLINE Tail(std::size_t count) : mask(load_as<Bits>(tail_bits + 8 - count * (sizeof(T) / 4))) {}
};
DD_INLINE Float64s load_tail(const double* from, Tail<double> tail) { return _mm256_maskload_pd(from, tail.mask); }
DD_INLINE Float32s load_tail(const float* from, Tail<float> tail) { return _mm256_maskload_ps(from, tail.mask); }
DD_INLINE void store_tail(double* to, Float64s value, Tail<double> tail) { _mm256_maskstore_pd(to, tail.mask, value); }
DD_INLINE void store_tail(float* to, Float32s value, Tail<float> tail) { _mm256_maskstore_ps(to, tail.mask, value); }
#else
template <class T>
struct Tail {
  std::size_t count = 0;
  explicit DD_INLINE Tail(std::size_t lane_count) : count(lane_count) {}
};
DD_INLINE Float64s load_tail(const double* from, Tail<double>) { return Float64s{from[0], 0}; }
DD_INLINE Float32s load_tail(const float* from, Tail<float> tail) {
  if (tail.count == 1) return Float32s{from[0], 0, 0, 0};
  if (tail.count == 2) return Float32s{from[0], from[1], 0, 0};
  return Float32s{from[0], from[1], from[2], 0};
}
DD_INLINE void store_tail(double* to, Float64s value, Tail<double>) { to[0] = value[0]; }
DD_INLINE void store_tail(float* to, Float32s value, Tail<float> tail) {
  to[0] = value[0];
  if (tail.count > 1) to[1] = value[1];
  if (tail.count > 2) to[2] = value[2];
}
#endif

/// Vector `index` of a column of `Vectors` vectors whose last one is partial when `Partial`.
template <int Vectors, bool Partial, class T>
DD_INLINE Vector<T> load_part(const T* column, int index, Tail<T> tail) {
  const T* from = column + index * lanes<T>;
  return Partial && index == Vectors - 1 ? load_tail(from, tail) : load(from);
}
template <int Vectors, bool Partial, class T>
DD_INLINE void store_part(T* column, int index, Vector<T> value, Tail<T> tail) {
  T* to = column + index * lanes<T>;
  if (Partial && index == Vectors - 1) {
    store_tail(to, value, tail);
  } else {
    store(to, value);
  }
}

/// Side of the square block that `transpose_square` turns: 4, or 2 where 4 elements do not fit a register.
template <class T>
constexpr int transpose_side = vector_bytes >= 4 * static_cast<int>(sizeof(T)) ? 4 : 2;

/// to[column * to_stride + row] = from[row * from_stride + column] for a block of transpose_side^2 elements.
template <class T>
DD_INLINE void transpose_square(const T* from, std::ptrdiff_t from_stride, T* to, std::ptrdiff_t to_stride) {
  if constexpr (transpose_side<T> == 4) {
    using V = VectorN<T, 4>;
    const V a = load_as<V>(from), b = load_as<V>(from + from_stride);
    const V c = load_as<V>(from + 2 * from_stride), d = load_as<V>(from + 3 * from_stride);
    const V ab_low = __builtin_shufflevector(a, b, 0, 4, 2, 6), ab_high = __builtin_shufflevector(a, b, 1, 5, 3, 7);
    const V cd_low = __builtin_shufflevector(c, d, 0, 4, 2, 6), cd_high = __builtin_shufflevector(c, d, 1, 5, 3, 7);
    store(to, __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5));
    store(to + to_stride, __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5));
    store(to + 2 * to_stride, __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7));
    store(to + 3 * to_stride, __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7));
  } else {
    using V = VectorN<T, 2>;
    const V a = load_as<V>(from), b = load_as<V>(from + from_stride);
    store(to, __builtin_shufflevector(a, b, 0, 2));
    store(to + to_stride, __builtin_shufflevector(a, b, 1, 3));
  }
}

}  // namespace
}  // namespace dd
