// Exponential and logarithm of every lane of a vector, without calls: Cody and Waite's reduction, rational functions in
// float64 and polynomials in float32 (the coefficients are those of Moshier's Cephes library). Within two units in the
// last place of the C library's. Multiplications and additions only, so all levels give the same bits. Included by ISA
// files only.
#pragma once

#include "linalg/simd.hpp"

namespace dd {
namespace {

/// The integers of a vector's lanes.
template <class T>
struct LaneBits;
template <>
struct LaneBits<double> {
  typedef long long element;
  static constexpr int mantissa = 52, bias = 1023;
};
template <>
struct LaneBits<float> {
  typedef int element;
  static constexpr int mantissa = 23, bias = 127;
};
template <class T>
using BitVector = VectorN<typename LaneBits<T>::element, lanes<T>>;

template <class T>
DD_INLINE BitVector<T> bits_of(Vector<T> value) {
  return (BitVector<T>)value;
}

template <class T>
DD_INLINE Vector<T> lane_exp(Vector<T> x) {
  using Bits = BitVector<T>;
  // Adding 1.5 2^mantissa leaves the rounded integer in the low bits.
  constexpr T shift = sizeof(T) == 8 ? T(6755399441055744.0) : T(12582912.0);
  constexpr T highest = sizeof(T) == 8 ? T(709.0) : T(88.0);
  constexpr T lowest = sizeof(T) == 8 ? T(-708.0) : T(-87.0);
  const Vector<T> limited = between(x, broadcast(lowest), broadcast(highest));
  const Vector<T> shifted = limited * broadcast(T(1.4426950408889634)) + broadcast(shift);
  const Vector<T> n = shifted - broadcast(shift);
  Vector<T> value;
  if constexpr (sizeof(T) == 8) {
    const Vector<T> r = (limited - n * broadcast(6.93145751953125E-1)) - n * broadcast(1.42860682030941723212E-6);
    const Vector<T> rr = r * r;
    const Vector<T> p = r * ((broadcast(1.26177193074810590878E-4) * rr + broadcast(3.02994407707441961300E-2)) * rr +
                             broadcast(9.99999999999999999910E-1));
    const Vector<T> q = ((broadcast(3.00198505138664455042E-6) * rr + broadcast(2.52448340349684104192E-3)) * rr +
                         broadcast(2.27265548208155028766E-1)) *
                            rr +
                        broadcast(2.00000000000000000005E0);
    value = broadcast(1.0) + (p + p) / (q - p);
  } else {
    const Vector<T> r = (limited - n * broadcast(T(0.693359375))) - n * broadcast(T(-2.12194440e-4));
    Vector<T> p = broadcast(T(1.9875691500E-4)) * r + broadcast(T(1.3981999507E-3));
    p = p * r + broadcast(T(8.3334519073E-3));
    p = p * r + broadcast(T(4.1665795894E-2));
    p = p * r + broadcast(T(1.6666665459E-1));
    p = p * r + broadcast(T(5.0000001201E-1));
    value = p * (r * r) + r + broadcast(T(1));
  }
  const Bits scale = (bits_of<T>(shifted) + LaneBits<T>::bias) << LaneBits<T>::mantissa;
  value = value * (Vector<T>)scale;
  value = x < broadcast(lowest) ? broadcast(T(0)) : value;
  value = x > broadcast(highest) ? broadcast(T(__builtin_inf())) : value;
  return x == x ? value : x;
}

/// Of positive normal numbers.
template <class T>
DD_INLINE Vector<T> lane_log(Vector<T> x) {
  using Bits = BitVector<T>;
  constexpr int mantissa = LaneBits<T>::mantissa;
  // m in [sqrt(1/2), sqrt(2)): the exponent is rounded, not cut.
  const Bits rounded = bits_of<T>(x) - bits_of<T>(broadcast(T(0.70710678118654752440)));
  const Bits exponent = rounded >> mantissa;
  const Vector<T> m = (Vector<T>)(bits_of<T>(x) - (exponent << mantissa));
  // Small integers in the low bits of 1.5 2^mantissa become numbers without a conversion.
  constexpr T shift = sizeof(T) == 8 ? T(6755399441055744.0) : T(12582912.0);
  const Vector<T> e = (Vector<T>)(bits_of<T>(broadcast(shift)) + exponent) - broadcast(shift);
  const Vector<T> z = m - broadcast(T(1));
  const Vector<T> zz = z * z;
  Vector<T> value;
  if constexpr (sizeof(T) == 8) {
    Vector<T> p = broadcast(1.01875663804580931796E-4) * z + broadcast(4.97494994976747001425E-1);
    p = p * z + broadcast(4.70579119878881725854E0);
    p = p * z + broadcast(1.44989225341610930846E1);
    p = p * z + broadcast(1.79368678507819816313E1);
    p = p * z + broadcast(7.70838733755885391666E0);
    Vector<T> q = z + broadcast(1.12873587189167450590E1);
    q = q * z + broadcast(4.52279145837532221105E1);
    q = q * z + broadcast(8.29875266912776603211E1);
    q = q * z + broadcast(7.11544750618563894466E1);
    q = q * z + broadcast(2.31251620126765340583E1);
    value = z * (zz * p / q);
    value = value - e * broadcast(2.121944400546905827679e-4);
    value = value - zz * broadcast(0.5);
    return z + value + e * broadcast(0.693359375);
  } else {
    Vector<T> p = broadcast(T(7.0376836292E-2)) * z + broadcast(T(-1.1514610310E-1));
    p = p * z + broadcast(T(1.1676998740E-1));
    p = p * z + broadcast(T(-1.2420140846E-1));
    p = p * z + broadcast(T(1.4249322787E-1));
    p = p * z + broadcast(T(-1.6668057665E-1));
    p = p * z + broadcast(T(2.0000714765E-1));
    p = p * z + broadcast(T(-2.4999993993E-1));
    p = p * z + broadcast(T(3.3333331174E-1));
    value = z * zz * p;
    value = value - e * broadcast(T(2.12194440e-4));
    value = value - zz * broadcast(T(0.5));
    return z + value + e * broadcast(T(0.693359375));
  }
}

}  // namespace
}  // namespace dd
