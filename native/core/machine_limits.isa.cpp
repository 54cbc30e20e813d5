// The loops that measure what the machine can do at most: 12 accumulators cover two pipes of latency 4 (or 5); they
// are initialised and summed in unrolled loops, because an array indexed in a rolled loop leaves the registers and
// halves the figure (specs/linalg.md, section 10).
#include "core/isa.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

using size_type = decltype(sizeof(0));

namespace {

#if defined(__AVX512F__)
constexpr size_type vector_bytes = 64;
#elif defined(__AVX__)
constexpr size_type vector_bytes = 32;
#else
constexpr size_type vector_bytes = 16;
#endif
typedef float FloatVector __attribute__((vector_size(vector_bytes)));
typedef double DoubleVector __attribute__((vector_size(vector_bytes)));
typedef double LooseVector __attribute__((vector_size(vector_bytes), aligned(8), may_alias));

// One intrinsic per width; without FMA a rounded product and a rounded sum.
#if defined(__AVX512F__)
inline FloatVector multiply_add(FloatVector a, FloatVector b, FloatVector c) { return _mm512_fmadd_ps(a, b, c); }
inline DoubleVector multiply_add(DoubleVector a, DoubleVector b, DoubleVector c) { return _mm512_fmadd_pd(a, b, c); }
#elif defined(__FMA__)
inline FloatVector multiply_add(FloatVector a, FloatVector b, FloatVector c) { return _mm256_fmadd_ps(a, b, c); }
inline DoubleVector multiply_add(DoubleVector a, DoubleVector b, DoubleVector c) { return _mm256_fmadd_pd(a, b, c); }
#elif defined(__aarch64__)
inline FloatVector multiply_add(FloatVector a, FloatVector b, FloatVector c) {
  return (FloatVector)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
inline DoubleVector multiply_add(DoubleVector a, DoubleVector b, DoubleVector c) {
  return (DoubleVector)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
}
#else
template <class V>
inline V multiply_add(V a, V b, V c) {
  return a * b + c;
}
#endif

template <class V, class T>
inline double fma_loop(size_type turns, T x, T y, T* sink) noexcept {
  constexpr size_type accumulators = 12;
  const V scale = x - V{};
  const V shift = y - V{};
  V a[accumulators];
#pragma GCC unroll 12
  for (size_type i = 0; i < accumulators; ++i) a[i] = V{} + static_cast<T>(i);
  for (size_type turn = 0; turn < turns; ++turn) {
#pragma GCC unroll 12
    for (size_type i = 0; i < accumulators; ++i) a[i] = multiply_add(a[i], scale, shift);
  }
  V total = a[0];
#pragma GCC unroll 12
  for (size_type i = 1; i < accumulators; ++i) total += a[i];
  T sum = 0;
  for (size_type lane = 0; lane < sizeof(V) / sizeof(T); ++lane) sum += total[lane];
  *sink = sum;
  const size_type lanes = sizeof(V) / sizeof(T);
  return 2.0 * static_cast<double>(turns) * static_cast<double>(accumulators * lanes);
}

}  // namespace

DD_ISA_ENTRY(double, fma_loop_float32)(size_type turns, float x, float y, float* sink) {
  return fma_loop<FloatVector>(turns, x, y, sink);
}
DD_ISA_ENTRY(double, fma_loop_float64)(size_type turns, double x, double y, double* sink) {
  return fma_loop<DoubleVector>(turns, x, y, sink);
}

DD_ISA_ENTRY(void, triad_float64)
(double* __restrict a, const double* __restrict b, const double* __restrict c, double s, size_type count) {
  for (size_type i = 0; i < count; ++i) a[i] = b[i] + s * c[i];
}

DD_ISA_ENTRY(double, read_float64)(const double* b, size_type count) {
  constexpr size_type lanes = vector_bytes / sizeof(double);
  LooseVector sum[4] = {};
  size_type i = 0;
  for (; i + 4 * lanes <= count; i += 4 * lanes) {
#pragma GCC unroll 4
    for (size_type k = 0; k < 4; ++k) sum[k] += *reinterpret_cast<const LooseVector*>(b + i + k * lanes);
  }
  const LooseVector all = (sum[0] + sum[1]) + (sum[2] + sum[3]);
  double total = 0;
  for (size_type lane = 0; lane < lanes; ++lane) total += all[lane];
  for (; i < count; ++i) total += b[i];
  return total;
}
