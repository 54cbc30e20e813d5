// The machine's own limit: independent multiply-adds in registers. Twelve chains cover two pipes of latency four;
// chains are started and added up in unrolled loops, because an indexed array of accumulators is kept in memory.
#include "peak.hpp"

#include "linalg/simd.hpp"

namespace dd::bench {
namespace {

template <class T>
DD_INLINE double run_chains(std::size_t turns, const volatile T* factors) {
  constexpr int chains = 12;
  const Vector<T> x = broadcast(static_cast<T>(factors[0])), y = broadcast(static_cast<T>(factors[1]));
  Vector<T> sum[chains];
  DD_UNROLL for (int c = 0; c < chains; ++c) sum[c] = broadcast(static_cast<T>(c));
  for (std::size_t turn = 0; turn < turns; ++turn) {
    DD_UNROLL for (int c = 0; c < chains; ++c) sum[c] = multiply_add(sum[c], x, y);
  }
  Vector<T> total{};
  DD_UNROLL for (int c = 0; c < chains; ++c) total += sum[c];
  return static_cast<double>(total[0]);
}

}  // namespace
}  // namespace dd::bench

DD_ISA_ENTRY(double, bench_peak_float32)(std::size_t turns, const volatile float* factors) {
  return dd::bench::run_chains(turns, factors);
}
DD_ISA_ENTRY(double, bench_peak_float64)(std::size_t turns, const volatile double* factors) {
  return dd::bench::run_chains(turns, factors);
}
