// Runs one registered kernel one way and holds it against its reference: the check behind the native tests, the fake
// driver's tests and `discrete-descent doctor`.
#pragma once

#include <cstdint>
#include <string>

#include "core/kernel_target.hpp"

namespace dd {

struct SelfTestResult {
  bool passed = false;
  double largest_error = 0;    ///< largest |out - reference| over finite references
  double tolerance_ratio = 0;  ///< largest |out - reference| / (absolute + relative |reference|); 0 / 0 counts as 0
  std::string message;         ///< why it failed: kernel, target, size, seed, buffer, element, values
};

/// Fills inputs from `seed`, runs the target and the reference on equal buffers and compares every output; also fails
/// when an input changed, something was written past a buffer, or the kernel threw. Never throws for a wrong kernel.
/// Switches the active ISA level for the time of the call (not to be run beside other kernels).
SelfTestResult self_test(const KernelEntry& entry, const KernelTarget& target, const KernelSize& size,
                         std::uint64_t seed, Inputs inputs = Inputs::ordinary);

/// All test sizes, ordinary and special inputs, two seeds; the first failure, or the largest deviations.
SelfTestResult self_test_all_sizes(const KernelEntry& entry, const KernelTarget& target);

}  // namespace dd
