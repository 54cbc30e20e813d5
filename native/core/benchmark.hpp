// Times one registered kernel at one size on one target: what the benchmark tables are made of.
#pragma once

#include <cstddef>

#include "core/kernel_target.hpp"

namespace dd {

struct BenchmarkOptions {
  double sample_seconds = 2e-4;  ///< a sample repeats the kernel until it lasts at least this long
  double budget_seconds = 0.5;   ///< samples are taken for about this long,
  std::size_t min_samples = 5;   ///< but never fewer than this
  std::size_t max_samples = 1000;
  std::uint64_t seed = 1;
};

/// Seconds are per call. Rates belong to the tenth percentile and count the flops and bytes that the kernel declares.
struct BenchmarkResult {
  double seconds_p10 = 0;
  double seconds_median = 0;
  double seconds_p90 = 0;
  double gflops = 0;     ///< GFLOP/s
  double gigabytes = 0;  ///< GB/s
  std::size_t samples = 0;
  std::size_t calls_per_sample = 0;
  bool cpu_clock = false;  ///< thread CPU time (one CPU thread); otherwise wall time
};

/// Inputs are made once. Kernels with in_out buffers get fresh copies, made outside the timed part, for every call.
/// On a launcher the data is on the device before the clock starts, and a sample ends with `synchronize`.
BenchmarkResult benchmark_kernel(const KernelEntry& entry, const KernelTarget& target, const KernelSize& size,
                                 const BenchmarkOptions& options = {});

}  // namespace dd
