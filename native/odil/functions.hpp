// Elementary functions of a vector, free of branches and of the C library. Errors, measured in
// native/tests/odil/functions_test.cpp against long double: exp and log at most 2 ulp, sigmoid 3, tanh 4; NaN,
// infinities, zeros and subnormal numbers as in C. Included by ISA files only.
//
// exp: x = n ln 2 + r with |r| <= ln 2 / 2, the Taylor series of e^r - 1, and 2^n in two steps so that subnormal
// results and overflow come out by themselves. log: x = 2^e m with m near 1, the series of log((1 + s) / (1 - s)).
#pragma once

#include "linalg/simd.hpp"

namespace dd {
namespace {

template <class T>
struct FloatFormat;
template <>
struct FloatFormat<double> {
  using Bits = VectorN<long long, lanes<double>>;
  using UnsignedBits = VectorN<unsigned long long, lanes<double>>;
  static constexpr int mantissa_bits = 52;
  static constexpr long long exponent_mask = 0x7FF, exponent_bias = 1023;
  static constexpr long long mantissa_mask = 0xFFFFFFFFFFFFF, one_bits = 0x3FF0000000000000;
  static constexpr long long two_to_mantissa_bits = 0x4330000000000000;
  static constexpr double rounding = 6755399441055744.0;  // 1.5 2^52: adding it rounds to an integer
  static constexpr double two_to_mantissa = 4503599627370496.0;
  static constexpr double log2_e = 1.4426950408889634074, ln2_high = 6.93147180369123816490e-01,
                          ln2_low = 1.90821492927058770002e-10;
  static constexpr double exp_min = -746, exp_max = 710, smallest_normal = 2.2250738585072014e-308;
  static constexpr double subnormal_scale = 18014398509481984.0, subnormal_steps = 54;
};
template <>
struct FloatFormat<float> {
  using Bits = VectorN<int, lanes<float>>;
  using UnsignedBits = VectorN<unsigned, lanes<float>>;
  static constexpr int mantissa_bits = 23;
  static constexpr int exponent_mask = 0xFF, exponent_bias = 127;
  static constexpr int mantissa_mask = 0x7FFFFF, one_bits = 0x3F800000;
  static constexpr int two_to_mantissa_bits = 0x4B000000;
  static constexpr float rounding = 12582912.0f;
  static constexpr float two_to_mantissa = 8388608.0f;
  static constexpr float log2_e = 1.44269504088896f, ln2_high = 6.9313812256e-01f, ln2_low = 9.0580006145e-06f;
  static constexpr float exp_min = -105, exp_max = 90, smallest_normal = 1.17549435e-38f;
  static constexpr float subnormal_scale = 33554432.0f, subnormal_steps = 25;
};

template <class T>
DD_INLINE auto bits_of(Vector<T> value) {
  return (typename FloatFormat<T>::Bits)value;
}
template <class T>
DD_INLINE Vector<T> absolute(Vector<T> value) {
  return (Vector<T>)((bits_of<T>(value) << 1 >> 1) & ~(bits_of<T>(broadcast(T(-0.0)))));
}
/// The magnitude of one with the sign of the other.
template <class T>
DD_INLINE Vector<T> with_sign_of(Vector<T> magnitude, Vector<T> sign) {
  const auto sign_bit = bits_of<T>(broadcast(T(-0.0)));
  return (Vector<T>)((bits_of<T>(magnitude) & ~sign_bit) | (bits_of<T>(sign) & sign_bit));
}

/// 2^n for whole n in the range of normal numbers.
template <class T>
DD_INLINE Vector<T> power_of_two(Vector<T> whole) {
  using F = FloatFormat<T>;
  const auto integer = bits_of<T>(whole + broadcast(F::rounding));  // n in the low bits
  return (Vector<T>)((integer + F::exponent_bias) << F::mantissa_bits);
}

/// Horner's rule; the highest coefficient first.
template <class T, int Count>
DD_INLINE Vector<T> polynomial(Vector<T> x, const T (&coefficients)[Count]) {
  Vector<T> value = broadcast(coefficients[0]);
  DD_UNROLL for (int k = 1; k < Count; ++k) value = multiply_add(value, x, broadcast(coefficients[k]));
  return value;
}

// 1/13! ... 1/2!, and 1/8! ... 1/2! for float32.
constexpr double exp_series_float64[] = {1.6059043836821613e-10, 2.08767569878681e-09,   2.505210838544172e-08,
                                         2.7557319223985893e-07, 2.7557319223985893e-06, 2.48015873015873e-05,
                                         1.9841269841269841e-04, 1.3888888888888889e-03, 8.333333333333333e-03,
                                         4.1666666666666664e-02, 1.6666666666666666e-01, 0.5};
constexpr float exp_series_float32[] = {
    2.4801587e-05f, 1.9841270e-04f, 1.3888889e-03f, 8.3333333e-03f, 4.1666667e-02f, 1.6666667e-01f, 0.5f};

/// n and e^r - 1 of the reduction; x within the range of exp.
template <class T>
DD_INLINE Vector<T> reduced_exp(Vector<T> x, Vector<T>& whole) {
  using F = FloatFormat<T>;
  whole = multiply_add(x, broadcast(F::log2_e), broadcast(F::rounding)) - broadcast(F::rounding);
  Vector<T> rest = negated_multiply_add(whole, broadcast(F::ln2_high), x);
  rest = negated_multiply_add(whole, broadcast(F::ln2_low), rest);
  Vector<T> series;
  if constexpr (sizeof(T) == 8) {
    series = polynomial<T>(rest, exp_series_float64);
  } else {
    series = polynomial<T>(rest, exp_series_float32);
  }
  return multiply_add(rest * rest, series, rest);
}

#if defined(__AVX512F__)
// exp with a table of 2^(j/16) in registers: x = (n + j/16) ln 2 + r with |r| <= ln 2 / 32, so that a short polynomial
// is enough (Chebyshev interpolation of (e^r - 1 - r) / r^2; its error is 2.8e-17 in float64, 4.7e-9 in float32), and
// one instruction that multiplies by 2^n whatever the result. Half the operations of the form for other levels.
alignas(64) constexpr double sixteenths_float64[] = {1.0,
                                                     1.0442737824274138,
                                                     1.0905077326652577,
                                                     1.1387886347566916,
                                                     1.189207115002721,
                                                     1.241857812073484,
                                                     1.2968395546510096,
                                                     1.3542555469368927,
                                                     1.4142135623730951,
                                                     1.4768261459394993,
                                                     1.5422108254079407,
                                                     1.6104903319492543,
                                                     1.681792830507429,
                                                     1.7562521603732995,
                                                     1.8340080864093424,
                                                     1.9152065613971474};
alignas(64) constexpr float sixteenths_float32[] = {
    1.0f,       1.0442738f, 1.0905077f, 1.1387886f, 1.1892071f, 1.2418579f, 1.2968396f, 1.3542555f,
    1.4142135f, 1.4768262f, 1.5422108f, 1.6104903f, 1.6817929f, 1.7562522f, 1.8340081f, 1.9152066f};
constexpr double short_exp_float64[] = {0.0013889034377693012, 0.008333449724528355, 0.041666666664959766,
                                        0.16666666665301144, 0.5};
constexpr float short_exp_float32[] = {0.16666862f, 0.50000978f};

/// Entry number `index` modulo 16.
DD_INLINE Float64s sixteenth(VectorN<long long, 8> index) {
  return _mm512_permutex2var_pd(_mm512_load_pd(sixteenths_float64), (__m512i)index,
                                _mm512_load_pd(sixteenths_float64 + 8));
}
DD_INLINE Float32s sixteenth(VectorN<int, 16> index) {
  return _mm512_maskz_permutexvar_ps(0xffff, (__m512i)index, _mm512_load_ps(sixteenths_float32));
}
DD_INLINE Float64s times_power_of_two(Float64s value, Float64s whole) {
  return _mm512_maskz_scalef_pd(0xff, value, whole);
}
DD_INLINE Float32s times_power_of_two(Float32s value, Float32s whole) {
  return _mm512_maskz_scalef_ps(0xffff, value, whole);
}
/// As `between`, but NaN stays what it is.
DD_INLINE Float64s limited(Float64s value, Float64s low, Float64s high) {
  return _mm512_maskz_min_pd(0xff, high, _mm512_maskz_max_pd(0xff, low, value));
}
DD_INLINE Float32s limited(Float32s value, Float32s low, Float32s high) {
  return _mm512_maskz_min_ps(0xffff, high, _mm512_maskz_max_ps(0xffff, low, value));
}

template <class T>
DD_INLINE Vector<T> exponential(Vector<T> x) {
  using F = FloatFormat<T>;
  x = limited(x, broadcast(F::exp_min), broadcast(F::exp_max));
  const Vector<T> moved = multiply_add(x, broadcast(T(16) * F::log2_e), broadcast(F::rounding));
  const Vector<T> whole = moved - broadcast(F::rounding);
  Vector<T> rest = negated_multiply_add(whole, broadcast(F::ln2_high / T(16)), x);
  rest = negated_multiply_add(whole, broadcast(F::ln2_low / T(16)), rest);
  Vector<T> series;
  if constexpr (sizeof(T) == 8) {
    series = polynomial<T>(rest, short_exp_float64);
  } else {
    series = polynomial<T>(rest, short_exp_float32);
  }
  const Vector<T> part = sixteenth(bits_of<T>(moved));
  const Vector<T> result = multiply_add(part, multiply_add(rest * rest, series, rest), part);
  return times_power_of_two(result, whole * broadcast(T(0.0625)));  // 2 to the whole part of the second
}
#else
template <class T>
DD_INLINE Vector<T> exponential(Vector<T> x) {
  using F = FloatFormat<T>;
  Vector<T> whole;
  const Vector<T> rest = reduced_exp<T>(between(x, broadcast(F::exp_min), broadcast(F::exp_max)), whole);
  const Vector<T> half = (whole * broadcast(T(0.5)) + broadcast(F::rounding)) - broadcast(F::rounding);
  const Vector<T> result = (broadcast(T(1)) + rest) * power_of_two<T>(half) * power_of_two<T>(whole - half);
  return x == x ? result : x;
}
#endif

template <class T>
DD_INLINE Vector<T> sigmoid_of(Vector<T> x) {
  // e^-|x| does not overflow, and the quotient stays exact where the result is subnormal.
  const Vector<T> one = broadcast(T(1)), decay = exponential<T>(-absolute<T>(x));
  return (x < Vector<T>{} ? decay : one) / (one + decay);
}

/// t / (t + 2) with t = e^(2|x|) - 1, which keeps its relative accuracy near 0.
template <class T>
DD_INLINE Vector<T> hyperbolic_tangent(Vector<T> x) {
  const Vector<T> limit = broadcast(T(sizeof(T) == 8 ? 44 : 20));  // beyond, the result is 1
  const Vector<T> twice = absolute<T>(x) * broadcast(T(2));
  Vector<T> whole;
  const Vector<T> rest = reduced_exp<T>(between(twice, Vector<T>{}, limit), whole);
  const Vector<T> scale = power_of_two<T>(whole);
  const Vector<T> t = multiply_add(scale, rest, scale - broadcast(T(1)));
  const Vector<T> result = with_sign_of<T>(t / (t + broadcast(T(2))), x);
  return x == x ? result : x;
}

constexpr double log_series_float64[] = {1.479819860511658591e-01, 1.531383769920937332e-01, 1.818357216161805012e-01,
                                         2.222219843214978396e-01, 2.857142874366239149e-01, 3.999999999940941908e-01,
                                         6.666666666666735130e-01};
constexpr float log_series_float32[] = {0.24279078841f, 0.28498786688f, 0.40000972152f, 0.66666662693f};

template <class T>
DD_INLINE Vector<T> logarithm(Vector<T> x) {
  using F = FloatFormat<T>;
  using Bits = typename F::Bits;
  using Unsigned = typename F::UnsignedBits;
  const Vector<T> zero{};
  const auto subnormal = x < broadcast(F::smallest_normal);
  const Vector<T> scaled = subnormal ? x * broadcast(F::subnormal_scale) : x;
  // m in [sqrt(1/2), sqrt(2)): one half is added to the exponent before it is cut off.
  constexpr T root_half = T(0.70710678118654752440);
  // Unsigned, because the bits of a NaN may overflow.
  const Unsigned offset = (Unsigned)bits_of<T>(broadcast(T(1))) - (Unsigned)bits_of<T>(broadcast(root_half));
  const Bits moved = (Bits)((Unsigned)bits_of<T>(scaled) + offset);
  const Bits exponent_bits = (Bits)(((Unsigned)moved >> F::mantissa_bits) & (Unsigned)(Bits{} + F::exponent_mask));
  const Bits mantissa = (moved & F::mantissa_mask) + bits_of<T>(broadcast(root_half));
  Vector<T> exponent = (Vector<T>)(exponent_bits | (Bits{} + F::two_to_mantissa_bits)) -
                       broadcast(T(F::two_to_mantissa + T(F::exponent_bias)));
  exponent -= subnormal ? broadcast(F::subnormal_steps) : zero;
  const Vector<T> f = (Vector<T>)mantissa - broadcast(T(1));
  const Vector<T> s = f / (broadcast(T(2)) + f);
  const Vector<T> z = s * s;
  Vector<T> series;
  if constexpr (sizeof(T) == 8) {
    series = polynomial<T>(z, log_series_float64);
  } else {
    series = polynomial<T>(z, log_series_float32);
  }
  const Vector<T> half_square = broadcast(T(0.5)) * f * f;
  const Vector<T> correction = multiply_add(s, multiply_add(z, series, half_square), exponent * broadcast(F::ln2_low));
  Vector<T> result = multiply_add(exponent, broadcast(F::ln2_high), f - (half_square - correction));
  const Vector<T> infinity = broadcast(T(__builtin_inf()));
  result = x < infinity ? result : x;  // infinity and NaN
  result = x == zero ? -infinity : result;
  return x < zero ? broadcast(T(__builtin_nan(""))) : result;
}

}  // namespace
}  // namespace dd
