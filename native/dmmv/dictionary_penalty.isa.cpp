// K2 on the CPU: the inner loop of the weighted target search. Two pairs of moves at a time share the loads of residual
// and weight; with a move and its reverse that makes four running sums of 64 bytes, which fit the registers from AVX2
// up. Per entry of g: 12 operations, 8 (4) bytes from the second-level cache. Wider groups of pairs were not faster.
#include "dmmv/dictionary_penalty.hpp"

namespace dd::dmmv {
namespace {

template <class Real>
inline constexpr std::size_t lanes = 64 / sizeof(Real);

inline double magnitude(double a) { return __builtin_fabs(a); }
inline float magnitude(float a) { return __builtin_fabsf(a); }
template <class Real>
inline Real larger(Real a, Real b) {
  return a > b ? a : b;
}

template <class Real, bool interval>
inline Real excess(Real z, Real target, Real upper, Real lower) {
  if constexpr (interval) {
    return larger(larger(z - upper, lower - z), Real{0});
  } else {
    return larger(magnitude(z) - target, Real{0});
  }
}

template <class Real>
inline Real tree_sum(Real* sums) {
  for (std::size_t half = lanes<Real> / 2; half > 0; half /= 2) {
    for (std::size_t l = 0; l < half; ++l) sums[l] += sums[l + half];
  }
  return sums[0];
}

template <class Real, bool interval, std::size_t group>
inline void run_group(const DictionaryPenalty<Real>& arguments, std::size_t first) {
  constexpr std::size_t width = lanes<Real>;
  const Real* __restrict g0 = arguments.moves + first * arguments.stride;
  const Real* __restrict g1 = arguments.moves + (first + group - 1) * arguments.stride;
  const Real* __restrict residual = arguments.residual;
  const Real* __restrict weight = arguments.weight;
  const Real* __restrict upper = arguments.upper;
  const Real* __restrict lower = arguments.lower;
  const Real target = arguments.target;
  Real plus0[width], minus0[width], plus1[width], minus1[width];
  for (std::size_t l = 0; l < width; ++l) plus0[l] = minus0[l] = plus1[l] = minus1[l] = 0;
  const std::size_t whole = arguments.rows / width * width;
  for (std::size_t i = 0; i < whole; i += width) {
    for (std::size_t l = 0; l < width; ++l) {
      const Real r = residual[i + l];
      const Real w = weight[i + l];
      const Real u = interval ? upper[i + l] : Real{0};
      const Real v = interval ? lower[i + l] : Real{0};
      plus0[l] += w * excess<Real, interval>(r + g0[i + l], target, u, v);
      minus0[l] += w * excess<Real, interval>(r - g0[i + l], target, u, v);
      if constexpr (group == 2) {
        plus1[l] += w * excess<Real, interval>(r + g1[i + l], target, u, v);
        minus1[l] += w * excess<Real, interval>(r - g1[i + l], target, u, v);
      }
    }
  }
  for (std::size_t i = whole; i < arguments.rows; ++i) {
    const std::size_t l = i - whole;
    const Real r = residual[i];
    const Real w = weight[i];
    const Real u = interval ? upper[i] : Real{0};
    const Real v = interval ? lower[i] : Real{0};
    plus0[l] += w * excess<Real, interval>(r + g0[i], target, u, v);
    minus0[l] += w * excess<Real, interval>(r - g0[i], target, u, v);
    if constexpr (group == 2) {
      plus1[l] += w * excess<Real, interval>(r + g1[i], target, u, v);
      minus1[l] += w * excess<Real, interval>(r - g1[i], target, u, v);
    }
  }
  Real* out = arguments.out + 2 * first;
  out[0] = tree_sum(plus0);
  out[1] = tree_sum(minus0);
  if constexpr (group == 2) {
    out[2] = tree_sum(plus1);
    out[3] = tree_sum(minus1);
  }
}

template <class Real, bool interval>
inline void run(const DictionaryPenalty<Real>& arguments) {
  std::size_t p = 0;
  for (; p + 2 <= arguments.pairs; p += 2) run_group<Real, interval, 2>(arguments, p);
  if (p < arguments.pairs) run_group<Real, interval, 1>(arguments, p);
}

}  // namespace

DD_ISA_ENTRY(void, dictionary_penalty_float64)(const DictionaryPenalty<double>* arguments) {
  if (arguments->upper != nullptr) {
    run<double, true>(*arguments);
  } else {
    run<double, false>(*arguments);
  }
}

DD_ISA_ENTRY(void, dictionary_penalty_float32)(const DictionaryPenalty<float>* arguments) {
  if (arguments->upper != nullptr) {
    run<float, true>(*arguments);
  } else {
    run<float, false>(*arguments);
  }
}

}  // namespace dd::dmmv
