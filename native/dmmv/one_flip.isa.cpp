// K1 on the CPU. The pass is bound by reading the column, so two steps share one load of it. Sixteen (float64) or
// thirty-two (float32) running maxima are enough to hide the latency of max; the order of a maximum changes nothing,
// which is why all levels agree bit for bit. Cost: 4 or 8 bytes and 8 operations an entry for two steps.
#include "dmmv/one_flip.hpp"

namespace dd::dmmv {
namespace {

template <class Real>
inline constexpr std::size_t lanes = 128 / sizeof(Real);

// (a > b ? a : b) is what the vector maximum instructions compute.
template <class Real>
inline Real larger(Real a, Real b) {
  return a > b ? a : b;
}
inline double magnitude(double a) { return __builtin_fabs(a); }
inline float magnitude(float a) { return __builtin_fabsf(a); }

template <class Real, bool interval, int together>
inline void run_steps(const OneFlipColumn<Real>& arguments, std::size_t first) {
  constexpr std::size_t width = lanes<Real>;
  const Real* __restrict column = arguments.column;
  const Real* __restrict residual = arguments.residual;
  const Real* __restrict upper = arguments.upper;
  const Real* __restrict lower = arguments.lower;
  const Real low = -__builtin_inf();
  const Real step0 = arguments.steps[first];
  const Real step1 = arguments.steps[first + (together - 1)];
  Real best0[width], best1[width];
  for (std::size_t l = 0; l < width; ++l) best0[l] = best1[l] = low;
  const std::size_t whole = arguments.rows / width * width;
  for (std::size_t i = 0; i < whole; i += width) {
    for (std::size_t l = 0; l < width; ++l) {
      const Real a = column[i + l];
      const Real r = residual[i + l];
      const Real z0 = r + step0 * a;
      if constexpr (interval) {
        best0[l] = larger(best0[l], larger(z0 - upper[i + l], -z0 - lower[i + l]));
      } else {
        best0[l] = larger(best0[l], magnitude(z0));
      }
      if constexpr (together == 2) {
        const Real z1 = r + step1 * a;
        if constexpr (interval) {
          best1[l] = larger(best1[l], larger(z1 - upper[i + l], -z1 - lower[i + l]));
        } else {
          best1[l] = larger(best1[l], magnitude(z1));
        }
      }
    }
  }
  for (std::size_t i = whole; i < arguments.rows; ++i) {
    const Real z0 = residual[i] + step0 * column[i];
    const Real z1 = residual[i] + step1 * column[i];
    if constexpr (interval) {
      best0[0] = larger(best0[0], larger(z0 - upper[i], -z0 - lower[i]));
      best1[0] = larger(best1[0], larger(z1 - upper[i], -z1 - lower[i]));
    } else {
      best0[0] = larger(best0[0], magnitude(z0));
      best1[0] = larger(best1[0], magnitude(z1));
    }
  }
  Real out0 = low, out1 = low;
  for (std::size_t l = 0; l < width; ++l) {
    out0 = larger(out0, best0[l]);
    out1 = larger(out1, best1[l]);
  }
  arguments.out[first] = out0;
  if (together == 2) arguments.out[first + 1] = out1;
}

template <class Real, bool interval>
inline void run(const OneFlipColumn<Real>& arguments) {
  std::size_t q = 0;
  for (; q + 2 <= arguments.step_count; q += 2) run_steps<Real, interval, 2>(arguments, q);
  if (q < arguments.step_count) run_steps<Real, interval, 1>(arguments, q);
}

}  // namespace

DD_ISA_ENTRY(void, one_flip_float64)(const OneFlipColumn<double>* arguments) {
  if (arguments->upper != nullptr) {
    run<double, true>(*arguments);
  } else {
    run<double, false>(*arguments);
  }
}

DD_ISA_ENTRY(void, one_flip_float32)(const OneFlipColumn<float>* arguments) {
  if (arguments->upper != nullptr) {
    run<float, true>(*arguments);
  } else {
    run<float, false>(*arguments);
  }
}

}  // namespace dd::dmmv
