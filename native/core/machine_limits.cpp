// Best-of-several measurements of the loops in machine_limits.isa.cpp.
#include "core/machine_limits.hpp"

#include <algorithm>

#include "core/aligned_buffer.hpp"
#include "core/clock.hpp"
#include "core/machine_limits_isa.hpp"

namespace dd {
namespace {

// Sums go here, so that no loop is without effect.
volatile double kept = 0;

template <class T, class Loop>
double fma_peak(Loop loop) {
  // Read through volatile, or the compiler runs the loop itself.
  volatile T scale = T(0.999), shift = T(0.001);
  double best = 0;
  for (int repetition = 0; repetition < 20; ++repetition) {
    T sink = 0;
    const double start = thread_cpu_seconds();
    const double flops = loop(std::size_t{200000}, T(scale), T(shift), &sink);
    best = std::max(best, flops / (thread_cpu_seconds() - start));
    kept = kept + static_cast<double>(sink);
  }
  return best * 1e-9;
}

/// GB/s of the best of several passes; each pass repeats the loop until it lasts 0.2 ms or longer.
template <class Loop>
double bandwidth(double bytes, Loop loop) {
  double best = 0;
  std::size_t repetitions = 1;
  int passes = bytes > 60e6 ? 7 : 25;
  while (passes > 0) {
    const double start = thread_cpu_seconds();
    for (std::size_t i = 0; i < repetitions; ++i) loop();
    const double seconds = thread_cpu_seconds() - start;
    if (seconds < 2e-4) {
      repetitions *= 2;
      continue;
    }
    best = std::max(best, bytes * static_cast<double>(repetitions) / seconds);
    --passes;
  }
  return best * 1e-9;
}

BandwidthPoint measure_bandwidth(std::size_t footprint) {
  const std::size_t count = footprint / (3 * sizeof(double));
  AlignedBuffer<double> a(count, 0.0), b(count, 1.0), c(count, 2.0);
  AlignedBuffer<double> all(3 * count, 1.0);
  BandwidthPoint point{footprint, 0, 0};
  volatile double scale = 3;
  const double streamed = 24.0 * static_cast<double>(count);
  point.triad = bandwidth(streamed, [&] { triad_float64(a.data(), b.data(), c.data(), double(scale), count); });
  kept = kept + a[count / 2];
  point.read = bandwidth(streamed, [&] { kept = kept + read_float64(all.data(), 3 * count); });
  return point;
}

}  // namespace

MachineLimits measure_machine_limits(std::size_t largest_bytes) {
  MachineLimits limits;
  limits.fma_float32 = fma_peak<float>(fma_loop_float32);
  limits.fma_float64 = fma_peak<double>(fma_loop_float64);
  for (const std::size_t footprint : {std::size_t{32} << 10, std::size_t{512} << 10, std::size_t{8} << 20}) {
    if (footprint < largest_bytes) limits.bandwidth.push_back(measure_bandwidth(footprint));
  }
  limits.bandwidth.push_back(measure_bandwidth(largest_bytes));
  return limits;
}

}  // namespace dd
