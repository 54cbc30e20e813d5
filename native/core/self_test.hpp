// Runs one registered kernel one way and holds it against its reference: the check behind the native tests, the fake
// driver's tests and `discrete-descent doctor`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/block_launcher.hpp"
#include "core/isa.hpp"
#include "core/kernel_registry.hpp"

namespace dd {

/// One way to run a kernel.
struct SelfTestTarget {
  enum class Form : std::uint8_t { cpu, host_blocks, launcher };

  std::string name;  ///< "cpu avx2, 3 threads", "checking, seed 2", "cuda"
  Form form = Form::cpu;
  IsaLevel isa = IsaLevel::baseline;
  std::size_t threads = 1;
  HostExecutor executor = HostExecutor::ordered;
  std::uint64_t seed = 0;
  BlockLauncher* launcher = nullptr;  ///< buffers are copied to and from its device

  static SelfTestTarget cpu(IsaLevel isa, std::size_t threads);
  static SelfTestTarget host_blocks(HostExecutor executor, std::uint64_t seed = 0);
  static SelfTestTarget on(BlockLauncher& launcher, std::string name);
};

/// Every available ISA level with 1 and 3 threads, and the block kernels on the ordered and, with three seeds, the
/// checking executor. The threaded executor is left to ThreadSanitizer runs.
std::vector<SelfTestTarget> host_self_test_targets();

enum class Inputs : std::uint8_t { ordinary, special };

struct SelfTestResult {
  bool passed = false;
  double largest_error = 0;    ///< largest |out - reference| over finite references
  double tolerance_ratio = 0;  ///< largest |out - reference| / (absolute + relative |reference|); 0 / 0 counts as 0
  std::string message;         ///< why it failed: kernel, target, size, seed, buffer, element, values
};

/// Fills inputs from `seed`, runs the target and the reference on equal buffers and compares every output; also fails
/// when an input changed, something was written past a buffer, or the kernel threw. Never throws for a wrong kernel.
/// Switches the active ISA level for the time of the call (not to be run beside other kernels).
SelfTestResult self_test(const KernelEntry& entry, const SelfTestTarget& target, const KernelSize& size,
                         std::uint64_t seed, Inputs inputs = Inputs::ordinary);

/// All test sizes, ordinary and special inputs, two seeds; the first failure, or the largest deviations.
SelfTestResult self_test_all_sizes(const KernelEntry& entry, const SelfTestTarget& target);

/// Runs `target` on the workload's buffers, in place.
void run_target(const KernelEntry& entry, const SelfTestTarget& target, const Workload& workload);

/// A workload of the entry with its inputs filled from `seed`.
Workload make_workload(const KernelEntry& entry, const KernelSize& size, std::uint64_t seed,
                       Inputs inputs = Inputs::ordinary);

}  // namespace dd
