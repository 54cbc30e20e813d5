// The one place where a fused multiply-add is asked for. Contraction is off in the whole build, so a*b + c in vector
// extensions is never fused, and lane loops over __builtin_fma fall back to scalar code inside larger templates (g++
// 12); one intrinsic per vector width is the form that both compilers keep. Included by ISA files only.
#pragma once

#if defined(__AVX512F__) || defined(__AVX2__) || defined(__SSE2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define DD_INLINE inline __attribute__((always_inline))
#define DD_UNROLL _Pragma("GCC unroll 32")

namespace dd {
namespace {  // every ISA object has its own copy: a shared one could be compiled for a CPU that is not here

/// The widest vector of the level, in bytes.
#if defined(__AVX512F__)
constexpr int vector_bytes = 64;
#elif defined(__AVX2__)
constexpr int vector_bytes = 32;
#else
constexpr int vector_bytes = 16;
#endif

template <class T, int Lanes>
struct VectorOf {
  typedef T type __attribute__((vector_size(Lanes * sizeof(T))));
};
template <class T, int Lanes>
using VectorN = typename VectorOf<T, Lanes>::type;

template <class T>
constexpr int lanes = vector_bytes / static_cast<int>(sizeof(T));
template <class T>
using Vector = VectorN<T, lanes<T>>;

using Float64s = Vector<double>;
using Float32s = Vector<float>;

// multiply_add(a, b, c) = a b + c and negated_multiply_add(a, b, c) = c - a b: one rounding with FMA, two at the
// baseline level, where scalar tails round twice as well. A scalar gives the bits that a lane of a vector gives.
#if defined(__AVX512F__)
DD_INLINE Float64s multiply_add(Float64s a, Float64s b, Float64s c) { return _mm512_fmadd_pd(a, b, c); }
DD_INLINE Float32s multiply_add(Float32s a, Float32s b, Float32s c) { return _mm512_fmadd_ps(a, b, c); }
DD_INLINE Float64s negated_multiply_add(Float64s a, Float64s b, Float64s c) { return _mm512_fnmadd_pd(a, b, c); }
DD_INLINE Float32s negated_multiply_add(Float32s a, Float32s b, Float32s c) { return _mm512_fnmadd_ps(a, b, c); }
#elif defined(__AVX2__)
DD_INLINE Float64s multiply_add(Float64s a, Float64s b, Float64s c) { return _mm256_fmadd_pd(a, b, c); }
DD_INLINE Float32s multiply_add(Float32s a, Float32s b, Float32s c) { return _mm256_fmadd_ps(a, b, c); }
DD_INLINE Float64s negated_multiply_add(Float64s a, Float64s b, Float64s c) { return _mm256_fnmadd_pd(a, b, c); }
DD_INLINE Float32s negated_multiply_add(Float32s a, Float32s b, Float32s c) { return _mm256_fnmadd_ps(a, b, c); }
#elif defined(__aarch64__)
DD_INLINE Float64s multiply_add(Float64s a, Float64s b, Float64s c) {
  return (Float64s)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
}
DD_INLINE Float32s multiply_add(Float32s a, Float32s b, Float32s c) {
  return (Float32s)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
DD_INLINE Float64s negated_multiply_add(Float64s a, Float64s b, Float64s c) {
  return (Float64s)vfmsq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
}
DD_INLINE Float32s negated_multiply_add(Float32s a, Float32s b, Float32s c) {
  return (Float32s)vfmsq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
#else
DD_INLINE Float64s multiply_add(Float64s a, Float64s b, Float64s c) { return a * b + c; }
DD_INLINE Float32s multiply_add(Float32s a, Float32s b, Float32s c) { return a * b + c; }
DD_INLINE Float64s negated_multiply_add(Float64s a, Float64s b, Float64s c) { return c - a * b; }
DD_INLINE Float32s negated_multiply_add(Float32s a, Float32s b, Float32s c) { return c - a * b; }
#endif

// __builtin_fma without a fused instruction is a library call, hundreds of times slower: never at the baseline.
#if defined(__FMA__) || defined(__aarch64__)
DD_INLINE double multiply_add(double a, double b, double c) { return __builtin_fma(a, b, c); }
DD_INLINE float multiply_add(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
#else
DD_INLINE double multiply_add(double a, double b, double c) { return a * b + c; }
DD_INLINE float multiply_add(float a, float b, float c) { return a * b + c; }
#endif
DD_INLINE double negated_multiply_add(double a, double b, double c) { return multiply_add(-a, b, c); }
DD_INLINE float negated_multiply_add(float a, float b, float c) { return multiply_add(-a, b, c); }

}  // namespace
}  // namespace dd
