// The proposals of p-norm annealing on the CPU: powers of 32 rows at a time stay in registers through all doublings.
#include "dmmv/power_sum.hpp"

namespace dd::dmmv {
namespace {

using std::size_t;

constexpr size_t width = 32;

template <unsigned doublings>
inline void run(PowerSum& a) {
  const float* __restrict residual = a.residual;
  const float* __restrict effect = a.effect;
  const float sign = a.sign, scale = a.scale, floor = a.floor;
  float sums[width], tops[width];
  for (size_t l = 0; l < width; ++l) sums[l] = tops[l] = 0;
  const size_t whole = a.rows / width * width;
  for (size_t i = 0; i < whole; i += width) {
    float value[width];
    for (size_t l = 0; l < width; ++l) {
      const float v = __builtin_fabsf(residual[i + l] + sign * effect[i + l]);
      tops[l] = v > tops[l] ? v : tops[l];
      float ratio = v * scale;
      ratio = ratio < 3.0f ? ratio : 3.0f;
      value[l] = ratio > floor ? ratio : floor;
    }
    for (unsigned q = 0; q < doublings; ++q) {
      for (size_t l = 0; l < width; ++l) value[l] *= value[l];
    }
    for (size_t l = 0; l < width; ++l) sums[l] += value[l];
  }
  for (size_t i = whole; i < a.rows; ++i) {
    const size_t l = i - whole;
    const float v = __builtin_fabsf(residual[i] + sign * effect[i]);
    tops[l] = v > tops[l] ? v : tops[l];
    float ratio = v * scale;
    ratio = ratio < 3.0f ? ratio : 3.0f;
    float value = ratio > floor ? ratio : floor;
    for (unsigned q = 0; q < doublings; ++q) value *= value;
    sums[l] += value;
  }
  for (size_t half = width / 2; half > 0; half /= 2) {
    for (size_t l = 0; l < half; ++l) {
      sums[l] += sums[l + half];
      tops[l] = tops[l + half] > tops[l] ? tops[l + half] : tops[l];
    }
  }
  a.largest = tops[0];
  a.sum = sums[0];
}

}  // namespace

DD_ISA_ENTRY(void, power_sum_float32)(PowerSum* a) {
  switch (a->doublings) {
    case 1:
      return run<1>(*a);
    case 2:
      return run<2>(*a);
    case 3:
      return run<3>(*a);
    case 4:
      return run<4>(*a);
    case 5:
      return run<5>(*a);
    default:
      return run<6>(*a);
  }
}

}  // namespace dd::dmmv
