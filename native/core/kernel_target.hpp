// One way to run a registered kernel: on the CPU at an ISA level, on a host executor, or on a back end. Self-tests and
// benchmarks both take such a target.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/block_launcher.hpp"
#include "core/isa.hpp"
#include "core/kernel_registry.hpp"

namespace dd {

/// One way to run a kernel.
struct KernelTarget {
  enum class Form : std::uint8_t { cpu, host_blocks, launcher };

  std::string name;  ///< "cpu avx2, 3 threads", "checking, seed 2", "cuda"
  Form form = Form::cpu;
  IsaLevel isa = IsaLevel::baseline;
  std::size_t threads = 1;
  HostExecutor executor = HostExecutor::ordered;
  std::uint64_t seed = 0;
  BlockLauncher* launcher = nullptr;  ///< buffers are copied to and from its device

  static KernelTarget cpu(IsaLevel isa, std::size_t threads);
  static KernelTarget host_blocks(HostExecutor executor, std::uint64_t seed = 0);
  static KernelTarget on(BlockLauncher& launcher, std::string name);
};

/// Every available ISA level with 1 and 3 threads, and the block kernels on the ordered and, with three seeds, the
/// checking executor. The threaded executor is left to ThreadSanitizer runs.
std::vector<KernelTarget> host_kernel_targets();

enum class Inputs : std::uint8_t { ordinary, special };

/// Runs `target` on the workload's buffers, in place.
void run_target(const KernelEntry& entry, const KernelTarget& target, const Workload& workload);

/// A workload of the entry with its inputs filled from `seed`.
Workload make_workload(const KernelEntry& entry, const KernelSize& size, std::uint64_t seed,
                       Inputs inputs = Inputs::ordinary);

/// A workload's buffers on the device of a launcher, freed at the end.
class DeviceWorkload {
 public:
  DeviceWorkload(BlockLauncher& launcher, const Workload& host);

  std::span<void* const> pointers() const noexcept { return pointers_; }
  void upload(const Workload& host);
  void download(const Workload& host);

 private:
  BlockLauncher& launcher_;
  AllocationScope scope_;
  std::vector<void*> pointers_;
};

}  // namespace dd
