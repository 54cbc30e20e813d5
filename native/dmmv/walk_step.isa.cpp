// One pass over the rows does all that a step needs: five streams that live in the first-level cache.
#include "dmmv/walk_step.hpp"

namespace dd::dmmv {
namespace {

constexpr std::size_t width = 8;

template <bool interval>
inline double excess(double z, double target, double upper, double lower) {
  if constexpr (interval) {
    const double above = z - upper;
    const double below = lower - z;
    return above > below ? above : below;
  } else {
    return __builtin_fabs(z) - target;
  }
}

template <bool interval>
inline void run(WalkStep<double>& step) {
  const double* __restrict effect = step.effect;
  double* __restrict residual = step.residual;
  double* __restrict weight = step.weight;
  const double* __restrict upper = step.upper;
  const double* __restrict lower = step.lower;
  const double low = -__builtin_inf();
  const double target = step.target, sign = step.sign, increment = step.increment;
  double largest[width], penalty[width];
  for (std::size_t l = 0; l < width; ++l) {
    largest[l] = low;
    penalty[l] = 0;
  }
  const auto row = [&](std::size_t i, std::size_t l) __attribute__((always_inline)) {
    const double u = interval ? upper[i] : 0;
    const double v = interval ? lower[i] : 0;
    const double r = residual[i];
    double w = weight[i];
    const double learned = w + increment;
    w = excess<interval>(r, target, u, v) > 0 && w > 0 ? learned : w;
    const double z = r + sign * effect[i];
    const double e = excess<interval>(z, target, u, v);
    const double counted = w > 0 ? e : low;
    largest[l] = largest[l] > counted ? largest[l] : counted;
    const double positive = e > 0 ? e : 0.0;
    penalty[l] += w * positive;
    residual[i] = z;
    weight[i] = w;
  };
  const std::size_t whole = step.rows / width * width;
  for (std::size_t i = 0; i < whole; i += width) {
    for (std::size_t l = 0; l < width; ++l) row(i + l, l);
  }
  for (std::size_t i = whole; i < step.rows; ++i) row(i, i - whole);
  for (std::size_t half = width / 2; half > 0; half /= 2) {
    for (std::size_t l = 0; l < half; ++l) {
      penalty[l] += penalty[l + half];
      largest[l] = largest[l] > largest[l + half] ? largest[l] : largest[l + half];
    }
  }
  step.largest = largest[0];
  step.penalty = penalty[0];
}

}  // namespace

DD_ISA_ENTRY(void, walk_step_float64)(WalkStep<double>* step) {
  if (step->upper != nullptr) {
    run<true>(*step);
  } else {
    run<false>(*step);
  }
}

}  // namespace dd::dmmv
