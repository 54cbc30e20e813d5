// Sums in twice the precision of a double.
#pragma once

#include <cmath>

namespace dd::dmmv {

/// An unevaluated sum high + low (Ogita, Rump, Oishi, SIAM J. Sci. Comput. 26(6), 2005).
struct Doubled {
  double high = 0, low = 0;

  void add(double value) {
    const double sum = high + value;
    const double part = sum - high;
    low += (high - (sum - part)) + (value - part);
    high = sum;
  }
  void add_product(double a, double b) {
    const double product = a * b;
    low += std::fma(a, b, -product);
    add(product);
  }
  double value() const { return high + low; }
};

}  // namespace dd::dmmv
