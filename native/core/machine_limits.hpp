// What this machine can do at most, measured in the run that reports a benchmark: a figure without its limit is noise.
#pragma once

#include <cstddef>
#include <vector>

namespace dd {

struct BandwidthPoint {
  std::size_t bytes;  ///< footprint of all arrays
  double triad;       ///< GB/s of a = b + s c, 24 bytes an element (write-allocate traffic not counted)
  double read;        ///< GB/s of a sum
};

/// One thread, at the active ISA level.
struct MachineLimits {
  double fma_float32 = 0;  ///< GFLOP/s; multiply + add where the level has no fma
  double fma_float64 = 0;
  std::vector<BandwidthPoint> bandwidth;  ///< by rising footprint: 32 KiB, 512 KiB, 8 MiB, `largest_bytes`
};

/// Best of 20 fma loops and best of several passes for each footprint (specs/linalg.md, section 10). Takes about a
/// second; `largest_bytes` should be four times the last cache or more. Measure before and after a table and report
/// percent of the mean of the two: the clock moves.
MachineLimits measure_machine_limits(std::size_t largest_bytes = std::size_t{256} << 20);

}  // namespace dd
